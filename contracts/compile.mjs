// Compile the contracts with the pinned compiler and write artifacts/<name>.json: ABI, bytecode, storage layout.
// With --check nothing is written: exit 1 when a committed artifact is not what the sources give.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const pinned = JSON.parse(readFileSync(join(here, "package.json"), "utf8")).devDependencies;
const solc = require("solc");
const library = require("@openzeppelin/contracts/package.json").version;
if (!solc.version().startsWith(`${pinned.solc}+`) || library !== pinned["@openzeppelin/contracts"]) {
  console.error(`installed: solc ${solc.version()}, OpenZeppelin ${library}; expected ${JSON.stringify(pinned)}`);
  process.exit(1);
}

const files = ["SunShareSettlement.sol", "EnergyToken.sol", "testing/TestCoin.sol", "testing/ReentrantCoin.sol"];
const settings = { optimizer: { enabled: true, runs: 200 }, evmVersion: "cancun" };
const input = {
  language: "Solidity",
  sources: Object.fromEntries(files.map((file) => [file, { content: readFileSync(join(here, file), "utf8") }])),
  settings: {
    ...settings,
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"] } },
  },
};
const findImport = (path) => {
  const place = join(here, "node_modules", path);
  return existsSync(place) ? { contents: readFileSync(place, "utf8") } : { error: `not found: ${path}` };
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
for (const error of output.errors ?? []) console.error(error.formattedMessage);
if (output.errors?.length) process.exit(1); // warnings too

const check = process.argv.includes("--check");
let wrong = 0;
for (const file of files) {
  const name = file.replace(/^.*\//, "").replace(".sol", "");
  const made = output.contracts[file][name];
  const artifact = {
    contract: name,
    source: file,
    compiler: { solc: solc.version(), openzeppelin: library, ...settings },
    abi: made.abi,
    // Positions of the state variables; the ids in solc's own layout change with the order of sources.
    storage: made.storageLayout.storage.map(({ label, slot, offset }) => ({ label, slot: Number(slot), offset })),
    bytecode: `0x${made.evm.bytecode.object}`,
    deployedBytecode: `0x${made.evm.deployedBytecode.object}`,
  };
  const text = `${JSON.stringify(artifact, null, 1)}\n`;
  const place = join(here, "artifacts", `${name}.json`);
  if (!check) {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
    console.log(`${name}: ${made.evm.deployedBytecode.object.length / 2} bytes of code`);
  } else if (!existsSync(place) || readFileSync(place, "utf8") !== text) {
    console.error(`${name}: the committed artifact is not what the sources give; run npm run compile`);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);

"""The report of one run, in the order in which a regulator asks: bills before indices, then wires and method."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.verify import verify
from sunshare_sim.report.assumptions import differing
from sunshare_sim.report.figures import WIRES, by_home, chart
from sunshare_sim.report.model import Paragraph, Points, Report, Section, Table, figure_text, number, table_of
from sunshare_sim.report.words import counted, sentences
from sunshare_sim.results.fairness import bills_by
from sunshare_sim.results.run import Run
from sunshare_sim.results.wires import was_computed

if TYPE_CHECKING:
    import pandas as pd

    from sunshare_sim.scenario.schema import Scenario

FAIRNESS: Final = ("gini_bill", "gini_saving", "jain_saving", "losing_share", "cross_subsidy")
OPERATOR: Final = ("operator_revenue", "cost_recovery")
GRID: Final = ("peak_import_kw", "peak_export_kw", "voltage_min_pu", "voltage_max_pu", "voltage_violation_share",
               "buses_failed", "line_loading_max", "transformer_loading_max", "overloaded_hours", "losses_kwh",
               "loss_share", "curtailed_kwh", "curtailed_share", "curtailment_cost", "deferred_kwh", "refused_kwh",
               "unserved_kwh")  # fmt: skip
ENERGY: Final = ("consumption_kwh", "solar_kwh", "traded_kwh", "self_sufficiency", "self_consumption", "local_share",
                 "ev_shortfall_kwh", "emissions_kg")  # fmt: skip
MARKET: Final = ("trades", "failed_trades", "traded_slots", "mean_local_price", "mean_local_price_paid",
                 "local_price_p10", "local_price_p90", "price_volatility", "allocative_efficiency", "hhi_sellers",
                 "hhi_buyers", "pivotal_share", "depth_kwh", "spread")  # fmt: skip


def run_report(run: Run) -> Report:
    """Return the report of a run."""
    scenario = run.scenario
    return Report(
        title=f"{scenario.name}: report of one run",
        question=scenario.description or "What does the local market change in this community?",
        sections=(
            Section("Summary", tuple(_summary(run))),
            Section(
                "The community",
                (Points(tuple(sentences(scenario, len(run.households)))), chart(run, "feeder-map")),
            ),
            Section("Who wins and who loses", tuple(_winners(run))),
            Section("Bills", (chart(run, "bills"), _components(run))),
            Section(
                "Network operator",
                (figures_table(run, "operator", "What the operator gets.", OPERATOR), _accounts(run)),
            ),
            Section(
                "Fairness", (figures_table(run, "fairness", "How bills and savings are spread.", FAIRNESS),)
            ),
            Section("Grid", tuple(_grid(run))),
            Section(
                "Energy",
                (chart(run, "energy-balance"), figures_table(run, "energy", "Energy and shares.", ENERGY)),
            ),
            Section(
                "Market",
                (chart(run, "price-path"), figures_table(run, "market", "How the market worked.", MARKET)),
            ),
            Section("Uncertainty", (Paragraph(UNCERTAINTY),)),
            Section("Method, data and provenance", tuple(method(run))),
        ),
        provenance=provenance(run),
    )


UNCERTAINTY: Final = (
    "This is one run with one seed: its figures carry no interval. How much they depend on the draws of "
    "weather, demand, "
    "cars and the order of arrival is shown by a study with replications, whose report gives paired "
    "differences with "
    "confidence intervals."
)


def _summary(run: Run) -> Iterator[Paragraph | Table]:
    bills, currency = run.bills, run.scenario.tariff.currency
    saving = bills["saving"]
    yield Paragraph(
        f"{counted(len(bills), 'home')} together pay {number(bills['total'].sum())} {currency}; without "
        f"the local market "
        f"they would pay {number(bills['counterfactual_total'].sum())} {currency}. The median saving of "
        f"a home is "
        f"{number(saving.median())} {currency}; {number(100 * float((saving < 0).mean()), 1)} % of the "
        f"homes pay more "
        "than they would without it."
    )
    if run.manifest.get("state") != "complete":
        yield Paragraph("This run was interrupted: its figures cover a part of the scenario only.")
    for text in run.manifest.get("warnings", ()):
        yield Paragraph(f"Warning of the run: {text}")
    names = (
        "total_bill",
        "total_saving",
        "self_sufficiency",
        "local_share",
        "mean_local_price",
        "peak_import_kw",
    )
    yield figures_table(run, "headline", "Headline figures.", names)


def _grid(run: Run) -> Iterator[Any]:
    yield chart(run, "duration")
    yield chart(run, "heat-map")
    if was_computed(run.lines):
        yield from (chart(run, name) for name in WIRES)
    else:
        yield Paragraph(
            "No power flow was computed: voltages, loadings and losses of the wires are unknown "
            "(network.power_flow: post computes them)."
        )
    yield figures_table(run, "grid", "Peaks and limits.", GRID)


def _winners(run: Run) -> Iterator[Any]:
    yield chart(run, "savings")
    bills, homes, currency = run.bills, run.households, run.scenario.tariff.currency
    for by in ("group", "kind", "income"):
        if by in homes and len(homes[by].unique()) > 1:
            yield _grouped(bills_by(bills, homes, by), by, currency)
    worst = bills.nsmallest(max(1, len(bills) // 20), "saving").head(10)
    table = homes.loc[worst["household"], ["name", "group", "kind"]].assign(
        saving=worst["saving"].to_numpy(), bill=worst["total"].to_numpy()
    )
    heads = ("home", "name", "group", "kind", f"saving [{currency}]", f"bill [{currency}]")
    yield table_of(
        table.rename_axis("home"),
        "worst",
        "The homes that gain least (5 % of all, at most ten).",
        heads=heads,
    )


def _grouped(table: "pd.DataFrame", by: str, currency: str) -> Table:
    table = table.rename(index={"": "not given"})
    heads = (by, "homes",
             f"bill, mean [{currency}]", f"without market, mean [{currency}]", f"saving, mean [{currency}]",
             "p10", "median", "p90", "pay more [share]")  # fmt: skip
    return table_of(table, f"by-{by}", f"Bills and savings by {by}.", heads=heads)


def _components(run: Run) -> Table:
    import pandas as pd

    bills, currency = run.bills, run.scenario.tariff.currency
    ends = {"total", "counterfactual_total", "saving", "counterfactual_network"}
    money = [column for column in bills.columns if column != "household" and not column.endswith("_kwh")]
    parts = [name for name in money if name not in ends and bills[name].any()]
    wanted = [*parts, "total", "counterfactual_total", "saving"]
    table = pd.DataFrame({"sum": bills[wanted].sum(), "mean": bills[wanted].mean()}).rename_axis("component")
    table.index = table.index.str.replace("_", " ")
    heads = ("component", f"all homes [{currency}]", f"a home, mean [{currency}]")
    full = by_home(run, wanted)
    caption = "What bills consist of; income is negative, and the parts add up to the total."
    return table_of(table.rename_axis("component"), "components", caption, heads=heads, full=full)


def _accounts(run: Run) -> Table:
    accounts = run.table("accounts")
    homes = accounts["name"].str.startswith("household ")
    table = accounts[~homes].set_index("name")[["funded", "cash"]]
    table.loc["all homes"] = accounts.loc[homes, ["funded", "cash"]].sum()
    heads = (
        "party",
        f"at the start [{run.scenario.tariff.currency}]",
        f"at the end [{run.scenario.tariff.currency}]",
    )
    caption = "What each party holds when all bills are paid; the sum does not change."
    return table_of(table, "accounts", caption, heads=heads)


def figures_table(run: Run, name: str, caption: str, names: tuple[str, ...]) -> Table:
    """Return key figures of a run as a table, those of `names` that the run has."""
    kpis = run.kpis.set_index("name")
    chosen = kpis.loc[[each for each in names if each in kpis.index]]
    rows = tuple(
        (line["description"], figure_text(line["value"], line["unit"]), unit_text(line["unit"], run.scenario))
        for _, line in chosen.iterrows()
    )
    full = table_of(chosen, name, caption)
    return Table(name, caption, ("key figure", "value", "unit"), rows, full.csv)


def unit_text(unit: str, scenario: "Scenario") -> str:
    """Return a unit as a reader knows it: the scenario's currency, a dash for a pure number."""
    return "\N{EN DASH}" if unit == "1" else unit.replace("currency", scenario.tariff.currency)


def method(run: Run) -> Iterator[Any]:
    """Yield what was assumed, where the data come from, and how to check and to repeat it."""
    scenario = run.scenario
    rows = tuple(differing(scenario))
    text = "".join(f'{key},"{value}","{base}"\r\n' for key, value, base in rows)
    caption = "What this scenario sets otherwise than the defaults; resolved.yaml lists every key."
    yield Table("assumptions", caption, ("key", "value", "default"), rows, "key,value,default\r\n" + text)
    yield Paragraph("Data and their licences:")
    yield Points(tuple(run.manifest.get("sources", ())) or ("Written out in the scenario.",))
    yield Paragraph("How to check and to repeat it:")
    yield Points(tuple(_checks(run)))


def _checks(run: Run) -> Iterator[str]:
    yield f"Ledger: {ledger_verdict(run)}"
    yield f"Repeat it: sunshare run resolved.yaml --seed {run.scenario.seed}; same seed, same bytes."
    yield "Key figures are defined, with their sources, in docs/results.md; all tables are in the run's folder."
    environment = run.manifest.get("environment", {})
    versions = {"python": environment.get("python", ""), **environment.get("versions", {})}
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."


def ledger_verdict(run: Run) -> str:
    """Return in a sentence whether the run's ledger holds when it is computed again."""
    if not (run.folder / "ledger").is_dir():
        return "this run kept none."
    try:
        verified = verify(run.folder)
    except LedgerError as error:
        return f"DOES NOT HOLD: {error}"
    return (
        f"verified again for this report: {number(verified.blocks)} blocks, every receipt, signature and bill; "
        f"head {verified.head}."
    )


def provenance(run: Run) -> str:
    """Return the line at the foot: scenario, seed, hashes."""
    manifest = run.manifest
    head = manifest.get("chain_head", "")
    return f"scenario {manifest.get('scenario_hash', '')}, seed {run.scenario.seed}" + (
        f", chain head {head}" if head else ""
    )

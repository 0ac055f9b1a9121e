// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Stablecoin that calls back into whoever moves it: for tests only.
contract ReentrantCoin is ERC20 {
    bytes private _attack;

    constructor() ERC20("Reentrant Coin", "EVIL") {}

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    /// @notice Set the call that every later transfer by a contract makes back into it.
    function arm(bytes calldata attack) external {
        _attack = attack;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_attack.length == 0 || msg.sender.code.length == 0) return;
        (bool done, bytes memory answer) = msg.sender.call(_attack);
        if (!done) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

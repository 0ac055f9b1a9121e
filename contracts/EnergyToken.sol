// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";

/// @title Energy token: 1 token is 1 kWh that a verified meter has injected.
/// @notice Only the settlement contract mints, and only in exchange for energy credits, which it creates against
/// registered readings alone. A holder who uses the energy burns the token. 6 decimals: the unit is 1e-6 kWh.
contract EnergyToken is ERC20, ERC20Burnable {
    address public immutable settlement;

    error OnlySettlement(address caller);

    modifier onlySettlement() {
        if (msg.sender != settlement) revert OnlySettlement(msg.sender);
        _;
    }

    constructor() ERC20("SunShare Energy", "SUN") {
        settlement = msg.sender;
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Turn credits, which the caller has just destroyed, into tokens.
    function mint(address account, uint256 amount) external onlySettlement {
        _mint(account, amount);
    }

    /// @notice Destroy tokens, which the caller is about to turn into credits.
    function redeem(address account, uint256 amount) external onlySettlement {
        _burn(account, amount);
    }
}

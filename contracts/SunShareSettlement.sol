// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.19;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {EnergyToken} from "./EnergyToken.sol";

/// @title Settlement of local energy trades: energy credits and a stablecoin change hands in one step.
/// @notice Energy is counted in 1e-6 kWh, money in the stablecoin's smallest unit, prices in that unit per kWh.
/// `settleTrade` keeps the source's order of checks and its three reasons literally. A pause stops everything but
/// what gives people back their own: `withdraw`, `cancelOrder`, `expireOrder`.
contract SunShareSettlement is AccessControl, Pausable, ReentrancyGuard {
    using SafeERC20 for IERC20;

    struct Trade {
        address buyer;
        address seller;
        uint256 energyAmount;
        uint256 totalCost;
        uint256 wheeling; // paid by the buyer on top, to the grid operator
    }

    enum Side {
        Ask,
        Bid
    }

    enum OrderStatus {
        None,
        Active,
        Filled,
        Cancelled,
        Expired
    }

    struct Order {
        address owner;
        Side side;
        OrderStatus status;
        uint256 price; // per kWh
        uint256 remaining; // energy not yet matched; an ask has as much in escrow
        uint256 money; // in escrow for a bid
        uint256 expiry; // live while block.timestamp < expiry
    }

    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    uint256 private constant KWH = 10 ** 6;
    uint8 private constant SETTLED = 0;
    uint8 private constant NO_MONEY = 1;
    uint8 private constant NO_CREDITS = 2;

    IERC20 public immutable stablecoin;
    EnergyToken public immutable energyToken;
    address public immutable gridOperator;

    address public platformOracle;
    mapping(address account => uint256) public accountBalances;
    mapping(address account => uint256) public energyCredits;
    mapping(bytes32 readingId => bool) public readingRegistered;
    mapping(uint256 orderId => Order) public orders;
    uint256 public orderCount;
    uint256 public totalInjected;
    uint256 public totalDelivered;

    event TradeExecuted(address indexed buyer, address indexed seller, uint256 energyAmount, uint256 totalCost);
    event WheelingPaid(address indexed buyer, uint256 amount);
    event TradeSkipped(uint256 indexed index, uint8 status);
    event Funded(address indexed account, address indexed payer, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event InjectionRegistered(bytes32 indexed readingId, address indexed household, uint256 energyAmount);
    event EnergyDelivered(address indexed household, uint256 consumed, uint256 fedIn);
    event CreditsTokenized(address indexed account, uint256 amount);
    event TokensRedeemed(address indexed account, uint256 amount);
    event OracleRotated(address indexed previous, address indexed current);
    event OrderCreated(
        uint256 indexed orderId, address indexed owner, Side side, uint256 energyAmount, uint256 price, uint256 expiry
    );
    event OrdersMatched(uint256 indexed bidId, uint256 indexed askId, uint256 energyAmount, uint256 totalCost);
    event OrderCancelled(uint256 indexed orderId, uint256 remaining);
    event OrderExpired(uint256 indexed orderId, uint256 remaining);

    error InvalidAccount(address account);
    error InvalidAmount();
    error InvalidExpiry(uint256 expiry);
    error ReadingAlreadyRegistered(bytes32 readingId);
    error TradeFailed(uint256 index, string reason);
    error InvalidOrder(uint256 orderId);
    error OrderIsExpired(uint256 orderId);
    error OrderNotExpired(uint256 orderId);
    error NotOrderOwner(address caller);
    error SelfTradingNotAllowed(address account);
    error AmountMismatch(uint256 asked, uint256 available);
    error PriceMismatch(uint256 bidPrice, uint256 askPrice);

    modifier onlyOracle() {
        require(msg.sender == platformOracle, "Unauthorized: Only SunShare Engine can execute");
        _;
    }

    constructor(IERC20 stablecoin_, address oracle, address gridOperator_) {
        if (oracle == address(0)) revert InvalidAccount(oracle);
        if (gridOperator_ == address(0)) revert InvalidAccount(gridOperator_);
        stablecoin = stablecoin_;
        gridOperator = gridOperator_;
        energyToken = new EnergyToken();
        platformOracle = oracle;
        _grantRole(DEFAULT_ADMIN_ROLE, msg.sender);
        _grantRole(PAUSER_ROLE, msg.sender);
    }

    // ---- who may do what

    function setOracle(address oracle) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (oracle == address(0)) revert InvalidAccount(oracle);
        emit OracleRotated(platformOracle, oracle);
        platformOracle = oracle;
    }

    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    // ---- money in and out

    /// @notice Pay `amount` of the caller's stablecoin into `account`.
    function fund(address account, uint256 amount) external nonReentrant whenNotPaused {
        if (account == address(0)) revert InvalidAccount(account);
        if (amount == 0) revert InvalidAmount();
        accountBalances[account] += amount;
        stablecoin.safeTransferFrom(msg.sender, address(this), amount);
        emit Funded(account, msg.sender, amount);
    }

    function withdraw(uint256 amount) external nonReentrant {
        if (amount == 0) revert InvalidAmount();
        require(accountBalances[msg.sender] >= amount, "Insufficient fiat balance");
        accountBalances[msg.sender] -= amount;
        stablecoin.safeTransfer(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
    }

    // ---- energy in and out

    /// @notice Create energy credits for what a verified meter injected. A reading counts once.
    function registerInjection(bytes32 readingId, address household, uint256 energyAmount)
        external
        onlyOracle
        whenNotPaused
    {
        if (household == address(0)) revert InvalidAccount(household);
        if (energyAmount == 0) revert InvalidAmount();
        if (readingRegistered[readingId]) revert ReadingAlreadyRegistered(readingId);
        readingRegistered[readingId] = true;
        totalInjected += energyAmount;
        energyCredits[household] += energyAmount;
        emit InjectionRegistered(readingId, household, energyAmount);
    }

    /// @notice Destroy credits whose energy was used by their holder or fed into the grid.
    function deliver(address household, uint256 consumed, uint256 fedIn) external onlyOracle whenNotPaused {
        uint256 amount = consumed + fedIn;
        if (amount == 0) revert InvalidAmount();
        require(energyCredits[household] >= amount, "Insufficient energy credits");
        energyCredits[household] -= amount;
        totalDelivered += amount;
        emit EnergyDelivered(household, consumed, fedIn);
    }

    /// @notice Turn own credits into tokens, one to one.
    function tokenize(uint256 amount) external whenNotPaused {
        if (amount == 0) revert InvalidAmount();
        require(energyCredits[msg.sender] >= amount, "Insufficient energy credits");
        energyCredits[msg.sender] -= amount;
        energyToken.mint(msg.sender, amount);
        emit CreditsTokenized(msg.sender, amount);
    }

    /// @notice Turn own tokens back into credits, one to one.
    function redeem(uint256 amount) external whenNotPaused {
        if (amount == 0) revert InvalidAmount();
        energyToken.redeem(msg.sender, amount);
        energyCredits[msg.sender] += amount;
        emit TokensRedeemed(msg.sender, amount);
    }

    // ---- trades

    /// @notice Swap energy credits and money. The source's function.
    function settleTrade(address buyer, address seller, uint256 energyAmount, uint256 totalCost)
        external
        onlyOracle
        whenNotPaused
    {
        require(accountBalances[buyer] >= totalCost, "Insufficient fiat balance");
        require(energyCredits[seller] >= energyAmount, "Insufficient energy credits");
        _swap(buyer, seller, energyAmount, totalCost);
    }

    /// @notice Settle all trades in order, or none; the error names the first that fails.
    function settleBatch(Trade[] calldata trades) external onlyOracle whenNotPaused {
        for (uint256 i = 0; i < trades.length; ++i) {
            uint8 status = _settle(trades[i]);
            if (status != SETTLED) {
                string memory reason =
                    status == NO_MONEY ? "Insufficient fiat balance" : "Insufficient energy credits";
                revert TradeFailed(i, reason);
            }
        }
    }

    /// @notice Settle the trades in order and skip those that fail: 0 settled, 1 no money, 2 no credits.
    function settleBatchSkipping(Trade[] calldata trades)
        external
        onlyOracle
        whenNotPaused
        returns (uint8[] memory status)
    {
        status = new uint8[](trades.length);
        for (uint256 i = 0; i < trades.length; ++i) {
            status[i] = _settle(trades[i]);
            if (status[i] != SETTLED) emit TradeSkipped(i, status[i]);
        }
    }

    function _settle(Trade calldata trade) private returns (uint8) {
        uint256 money = accountBalances[trade.buyer];
        // Written without a sum, which could overflow: that would be a panic, not the reason.
        if (money < trade.totalCost || money - trade.totalCost < trade.wheeling) return NO_MONEY;
        if (energyCredits[trade.seller] < trade.energyAmount) return NO_CREDITS;
        if (trade.wheeling > 0) {
            accountBalances[trade.buyer] -= trade.wheeling;
            accountBalances[gridOperator] += trade.wheeling;
            emit WheelingPaid(trade.buyer, trade.wheeling);
        }
        _swap(trade.buyer, trade.seller, trade.energyAmount, trade.totalCost);
        return SETTLED;
    }

    function _swap(address buyer, address seller, uint256 energyAmount, uint256 totalCost) private {
        accountBalances[buyer] -= totalCost;
        accountBalances[seller] += totalCost;
        energyCredits[seller] -= energyAmount;
        energyCredits[buyer] += energyAmount;
        emit TradeExecuted(buyer, seller, energyAmount, totalCost);
    }

    // ---- orders with escrow

    /// @notice Place an order and lock what it needs: an ask its energy, a bid its money.
    function createOrder(Side side, uint256 energyAmount, uint256 price, uint256 expiry)
        external
        whenNotPaused
        returns (uint256 orderId)
    {
        if (energyAmount == 0 || price == 0) revert InvalidAmount();
        if (expiry <= block.timestamp) revert InvalidExpiry(expiry);
        uint256 money = 0;
        if (side == Side.Ask) {
            require(energyCredits[msg.sender] >= energyAmount, "Insufficient energy credits");
            energyCredits[msg.sender] -= energyAmount;
        } else {
            money = energyAmount * price / KWH;
            require(accountBalances[msg.sender] >= money, "Insufficient fiat balance");
            accountBalances[msg.sender] -= money;
        }
        orderId = orderCount++;
        orders[orderId] = Order(msg.sender, side, OrderStatus.Active, price, energyAmount, money, expiry);
        emit OrderCreated(orderId, msg.sender, side, energyAmount, price, expiry);
    }

    /// @notice Match a bid with an ask at the ask's price; what is left stays in the order.
    function matchOrders(uint256 bidId, uint256 askId, uint256 energyAmount) external onlyOracle whenNotPaused {
        Order storage bid = _live(bidId, Side.Bid);
        Order storage ask = _live(askId, Side.Ask);
        if (bid.owner == ask.owner) revert SelfTradingNotAllowed(bid.owner);
        if (energyAmount == 0) revert InvalidAmount();
        uint256 available = bid.remaining < ask.remaining ? bid.remaining : ask.remaining;
        if (energyAmount > available) revert AmountMismatch(energyAmount, available);
        if (bid.price < ask.price) revert PriceMismatch(bid.price, ask.price);
        uint256 cost = energyAmount * ask.price / KWH;
        bid.remaining -= energyAmount;
        bid.money -= cost;
        ask.remaining -= energyAmount;
        accountBalances[ask.owner] += cost;
        energyCredits[bid.owner] += energyAmount;
        if (bid.remaining == 0) _close(bid, OrderStatus.Filled);
        if (ask.remaining == 0) _close(ask, OrderStatus.Filled);
        emit OrdersMatched(bidId, askId, energyAmount, cost);
        emit TradeExecuted(bid.owner, ask.owner, energyAmount, cost);
    }

    function cancelOrder(uint256 orderId) external {
        Order storage order = _active(orderId);
        if (msg.sender != order.owner) revert NotOrderOwner(msg.sender);
        emit OrderCancelled(orderId, order.remaining);
        _close(order, OrderStatus.Cancelled);
    }

    /// @notice Close an order whose time is over. Anyone may call: it only gives the owner back what is locked.
    function expireOrder(uint256 orderId) external {
        Order storage order = _active(orderId);
        if (block.timestamp < order.expiry) revert OrderNotExpired(orderId);
        emit OrderExpired(orderId, order.remaining);
        _close(order, OrderStatus.Expired);
    }

    function _active(uint256 orderId) private view returns (Order storage order) {
        order = orders[orderId];
        if (order.status != OrderStatus.Active) revert InvalidOrder(orderId);
    }

    function _live(uint256 orderId, Side side) private view returns (Order storage order) {
        order = _active(orderId);
        if (order.side != side) revert InvalidOrder(orderId);
        if (block.timestamp >= order.expiry) revert OrderIsExpired(orderId);
    }

    /// @dev What is still locked goes back: of a filled bid what better prices and rounding left.
    function _close(Order storage order, OrderStatus status) private {
        order.status = status;
        uint256 money = order.money;
        order.money = 0;
        accountBalances[order.owner] += money;
        if (order.side == Side.Ask) energyCredits[order.owner] += order.remaining;
    }
}

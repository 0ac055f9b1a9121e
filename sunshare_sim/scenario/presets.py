"""Tariffs of countries, as data: each figure with its source, those that were not checked marked as such.

Prices are in the preset's currency, without value added tax unless their key says otherwise. What a source does not
give is left out or, where a bill needs it, filled in and listed under `unverified`.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Preset(NamedTuple):
    """Hold a country's tariff.

    Attributes
    ----------
    year : int
        Year whose prices these are.
    text : str
        What it is, in a sentence.
    values : mapping
        Keys of the section `tariff`.
    sources : mapping of str to str
        Where each figure was read, by key.
    unverified : mapping of str to str
        Figures that no source at hand gives, by key, and how they were chosen.
    """

    year: int
    text: str
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    unverified: Mapping[str, str]


_SNE = "Systemnutzungsentgelte-Verordnung 2018, s. 5 (1a), valid to at least 31 December 2026"
_AT_PRICES: Final = {
    "currency": "EUR",
    "supply_per_kwh": 0.0989,
    "network_per_kwh": 0.0698,
    "levies_per_kwh": 0.015,
    "vat": 0.20,
    "network_fixed_per_month": 4.5,
    "feed_in_per_kwh": 0.06,
}
_AT_SOURCES: Final = {
    "network_per_kwh": "price sheets of 2026: Vienna 6.98 ct/kWh (4.96 Vorarlberg to 9.67 Carinthia)",
    "network_fixed_per_month": "price sheets of 2026: 54 EUR a year",
    "sharing": _SNE,
}
_AT_UNVERIFIED: Final = {
    "supply_per_kwh": "mean day-ahead price of 2025, 9.89 ct/kWh, in place of a supplier's price",
    "levies_per_kwh": "electricity levy as remembered; the renewables contribution and the charge for losses"
    " (0.3 to 0.7 ct/kWh) are left out",
    "vat": "as remembered",
    "feed_in_per_kwh": "assumed",
}

PRESETS: Final[Mapping[str, Preset]] = {
    "de-2025": Preset(
        2025,
        "German household at 3 500 kWh a year, 39.7 ct/kWh, and the feed-in tariff of a roof up to 10 kWp.",
        {
            "currency": "EUR",
            "supply_per_kwh": 0.1604,
            "network_per_kwh": 0.1095,
            "levies_per_kwh": 0.0638,
            "vat": 0.19,
            "feed_in_per_kwh": 0.0786,
            "sharing": {"locality": "substation"},
        },
        {
            "supply_per_kwh": "BDEW-Strompreisanalyse 2025: 16.04 ct/kWh",
            "network_per_kwh": "BDEW-Strompreisanalyse 2025: 10.95 ct/kWh",
            "levies_per_kwh": "BDEW-Strompreisanalyse 2025: electricity tax 2.05, concession 1.67, s. 19 1.56,"
            " offshore 0.82 ct/kWh",
            "feed_in_per_kwh": "EEG 2023, August 2025: 7.86 ct/kWh, partial feed-in up to 10 kWp",
            "sharing": "EnWG s. 42c, from June 2026: within one balancing area of a network operator",
        },
        {
            "levies_per_kwh": "0.28 ct/kWh of it is what is missing to the published total (the CHP levy)",
            "sharing": "that the law cuts no charges in general is as remembered",
        },
    ),
    "at-2026-local": Preset(
        2026,
        "Austrian household in Vienna in a local renewable energy community: -57 % of the network charge by energy.",
        {
            **_AT_PRICES,
            "sharing": {"locality": "transformer", "network_discount": 0.57, "levies_waived": True},
        },
        _AT_SOURCES,
        _AT_UNVERIFIED,
    ),
    "at-2026-regional": Preset(
        2026,
        "Austrian household in Vienna in a regional renewable energy community: -28 % of the network charge by energy.",
        {
            **_AT_PRICES,
            "sharing": {"locality": "substation", "network_discount": 0.28, "levies_waived": True},
        },
        _AT_SOURCES,
        _AT_UNVERIFIED,
    ),
    "gb-2026-cap": Preset(
        2026,
        "British household at the default tariff cap of April to June 2026, and a flat export price.",
        {
            "currency": "GBP",
            "supply_per_kwh": 0.234952,
            "network_per_kwh": 0.0,
            "levies_per_kwh": 0.0,
            "vat": 0.05,
            "standing_per_day": 0.5721,
            "feed_in_per_kwh": 0.12,
        },
        {
            "supply_per_kwh": "Ofgem cap, April to June 2026: 24.67 p/kWh with VAT, so 23.4952 without",
            "standing_per_day": "Ofgem cap, April to June 2026: 57.21 p a day with VAT",
            "feed_in_per_kwh": "guides to the Smart Export Guarantee, May and July 2026: 12 p/kWh flat",
        },
        {
            "vat": "as remembered",
            "network_per_kwh": "the network's part of the unit rate is not known here: all counts as supply",
        },
    ),
    "th-2026-tou": Preset(
        2026,
        "Thai household on the time-of-use tariff 1.2, surplus by net billing.",
        {
            "currency": "THB",
            "supply_per_kwh": 2.7992,
            "network_per_kwh": 0.0,
            "levies_per_kwh": 0.0,
            "vat": 0.07,
            "standing_per_month": 26.3434,
            "feed_in_per_kwh": 2.20,
            "periods": [{"from_hour": 9.0, "to_hour": 22.0, "days": "workdays", "supply_per_kwh": 5.9605}],
            "export": {"scheme": "net_billing", "credit_against": "retail", "excess_paid": 1.0},
        },
        {
            "supply_per_kwh": "MEA/PEA tariff 1.2: off peak 2.6369, with the fuel adjustment 0.1623",
            "periods": "MEA/PEA tariff 1.2: on peak 5.7982 Monday to Friday 9 to 22 h, with the fuel adjustment 0.1623",
            "vat": "MEA/PEA: 7 %",
            "standing_per_month": "MEA/PEA: service charge 24.62 THB a month, 26.3434 with VAT",
            "feed_in_per_kwh": "ERC solar scheme for the people: 2.20 THB/kWh for ten years up to 10 kWp",
        },
        {
            "network_per_kwh": "the tariff is one price for energy and wires: all counts as supply",
            "export": "that credits left at the month's end are paid is assumed",
            "periods": "public holidays, which count as off peak, are not known to the calendar here",
        },
    ),
    "ca-2025-nbt": Preset(
        2025,
        "Californian household on PG&E's E-ELEC of March 2025 with the Net Billing Tariff.",
        {
            "currency": "USD",
            "supply_per_kwh": 0.34,
            "network_per_kwh": 0.0,
            "levies_per_kwh": 0.0,
            "vat": 0.0,
            "standing_per_month": 15.0,
            "feed_in_per_kwh": 0.08,
            "periods": [
                {"from_hour": 15.0, "to_hour": 24.0, "supply_per_kwh": 0.36},
                {"from_hour": 16.0, "to_hour": 21.0, "supply_per_kwh": 0.38},
                {"from_hour": 0.0, "to_hour": 15.0, "months": [6, 7, 8, 9], "supply_per_kwh": 0.40},
                {"from_hour": 15.0, "to_hour": 24.0, "months": [6, 7, 8, 9], "supply_per_kwh": 0.45},
                {"from_hour": 16.0, "to_hour": 21.0, "months": [6, 7, 8, 9], "supply_per_kwh": 0.61},
            ],
            "export": {
                "scheme": "net_billing",
                "credit_against": "retail",
                "settlement_periods": 12,
                "excess_paid": 0.5,
            },
        },
        {
            "periods": "PG&E E-ELEC, March 2025: summer 0.61 peak, 0.45 part peak, 0.40 off peak, winter peak 0.38;"
            " peak 16 to 21 h",
            "standing_per_month": "PG&E E-ELEC: base service charge 15 USD a month",
            "feed_in_per_kwh": "average of the 576 hourly avoided costs, about 0.08 (secondary source)",
        },
        {
            "supply_per_kwh": "winter off peak as remembered",
            "periods": "winter part peak, the hours of part peak (15 to 16 and 21 to 24 h) and the months of summer"
            " as remembered",
            "feed_in_per_kwh": "the average of a secondary source; the hourly values, which in late summer evenings"
            " may exceed retail, can be given as `series`",
            "network_per_kwh": "the tariff is one price for energy and wires: all counts as supply",
            "export": "the share paid for credits left after a year is assumed",
        },
    ),
    "nsw-2025": Preset(
        2025,
        "Household in New South Wales on Ausgrid's network with two-way pricing, 2025-26.",
        {
            "currency": "AUD",
            "supply_per_kwh": 0.2428,
            "network_per_kwh": 0.0515,
            "levies_per_kwh": 0.0,
            "vat": 0.10,
            "feed_in_per_kwh": 0.049,
            "periods": [
                {"from_hour": 15.0, "to_hour": 21.0, "network_per_kwh": 0.2925},
                {"from_hour": 16.0, "to_hour": 21.0, "feed_in_per_kwh": 0.0875},
            ],
            "export": {
                "scheme": "two_way",
                "charge_per_kwh": 0.0123,
                "charge_from_hour": 10.0,
                "charge_to_hour": 15.0,
                "free_kwh": 200.0,
            },
        },
        {
            "network_per_kwh": "Ausgrid network prices 2025-26 (a reseller's sheet): off peak 5.15 c/kWh without GST",
            "periods": "Ausgrid 2025-26: peak 29.25 c/kWh without GST; credit of 3.85 c/kWh from 16 to 21 h",
            "export": "Ausgrid 2025-26: 200 kWh a month free from 10 to 15 h, then 1.23 c/kWh",
            "feed_in_per_kwh": "IPART benchmark 2025-26 (draft): 4.9 to 7.4 c/kWh, the lower end",
        },
        {
            "supply_per_kwh": "retail of about 39 c/kWh with GST less the mean of the network charge over the hours",
            "periods": "the hours of the network's peak (15 to 21 h, every day) as remembered",
            "vat": "as remembered",
            "standing_per_day": "left at 0: the only figure at hand, 414 c a day, looks like another unit",
        },
    ),
    "es-collective": Preset(
        2025,
        "Spanish household in collective self-use: what is shared within 2 km counts as used on site.",
        {
            "currency": "EUR",
            "supply_per_kwh": 0.10,
            "network_per_kwh": 0.003,
            "levies_per_kwh": 0.007,
            "vat": 0.21,
            "feed_in_per_kwh": 0.06,
            "periods": [
                {"from_hour": 8.0, "to_hour": 24.0, "days": "workdays", "network_per_kwh": 0.029},
                {"from_hour": 10.0, "to_hour": 14.0, "days": "workdays", "network_per_kwh": 0.098},
                {"from_hour": 18.0, "to_hour": 22.0, "days": "workdays", "network_per_kwh": 0.098},
            ],
            "export": {"scheme": "net_billing", "credit_against": "supply", "excess_paid": 0.0},
            "sharing": {
                "locality": "radius",
                "radius_km": 2.0,
                "network_discount": 1.0,
                "levies_waived": True,
            },
        },
        {
            "sharing": "Real Decreto 244/2019: collective self-use within 2 km, no charges by energy on what is shared",
            "export": "Real Decreto 244/2019: surplus credited up to the month's cost of energy",
        },
        {
            "supply_per_kwh": "assumed",
            "network_per_kwh": "tolls and charges of the low-voltage tariff as remembered",
            "periods": "three periods of the low-voltage tariff as remembered",
            "levies_per_kwh": "electricity tax of 5.11 % of the bill as remembered, as a price by energy",
            "vat": "as remembered",
            "feed_in_per_kwh": "assumed",
        },
    ),
}

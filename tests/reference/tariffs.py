"""The bill of one home under a tariff of several parts, as a clerk would write it: one period after the other."""

MICRO = 10**6


def pays(energy, price):
    """A slot's payment: rounded down, whichever way it flows."""
    return energy * price // MICRO if price >= 0 else -(energy * -price // MICRO)


def vat(amount, ppm):
    return amount * ppm // MICRO


def bill(slots, terms, standing):
    """Return the parts of a home's bill with the grid.

    `slots` is a list of (taken, given, retail, feed_in, network, levies, window), one a slot; `terms` a `Terms`.
    """
    retail = network = levies = feed_in = 0
    more, capacity, charge, lost, credit = [0, 0, 0], 0, 0, 0, 0
    first = 0
    for number, (covered, whole) in enumerate(terms.periods, start=1):
        rows = slots[first : first + covered]
        first += covered
        taken = sum(row[0] for row in rows)
        paid = sum(pays(row[0], row[2]) for row in rows)
        earned = sum(pays(row[1], row[3]) for row in rows)
        paid_network = sum(pays(row[0], row[4]) for row in rows)
        paid_levies = sum(pays(row[0], row[5]) for row in rows)
        beyond = [0, 0, 0]
        for part, above, step in terms.tiers:
            beyond[part] += max(taken - above * covered // whole, 0) * step // MICRO
        for part in range(3):
            more[part] += beyond[part]
        peak = max(row[0] for row in rows) * 60 // terms.slot_minutes
        capacity += peak * terms.capacity_micro // MICRO * covered // whole
        given = sum(row[1] for row in rows if row[6])
        charge += (
            max(given - terms.export_free_micro * covered // whole, 0) * terms.export_charge_micro // MICRO
        )
        if terms.credit_against:
            due = paid + beyond[0] + vat(beyond[0], terms.vat_ppm[0])
            for part, amount in ((1, paid_network), (2, paid_levies)):
                counted = beyond[part] if terms.credit_against == "retail" else -amount
                due += counted + vat(counted, terms.vat_ppm[part])
            credit = max(credit + earned - max(due, 0), 0)
            if number % terms.settlement_periods == 0 or number == len(terms.periods):
                lost += credit - credit * terms.excess_ppm // MICRO
                credit = 0
        retail, network, levies, feed_in = (
            retail + paid,
            network + paid_network,
            levies + paid_levies,
            feed_in + earned,
        )
    tax = vat(network, terms.vat_ppm[1]) + vat(levies, terms.vat_ppm[2])
    rest = retail - network - levies - tax
    supply_tax = rest * terms.vat_ppm[0] // (MICRO + terms.vat_ppm[0])
    fixed = terms.network_fixed_micro
    tax += supply_tax + sum(vat(more[part], terms.vat_ppm[part]) for part in range(3))
    tax += sum(vat(amount, terms.vat_ppm[1]) for amount in (fixed, capacity, charge))
    return {
        "supply": rest - supply_tax + more[0],
        "network": network + more[1],
        "network_fixed": fixed,
        "capacity": capacity,
        "export_charge": charge,
        "levies": levies + more[2],
        "tax": tax,
        "standing": standing,
        "feed_in": lost - feed_in,
    }

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sunshare_sim.telemetry.meters import Flows, Totals, read_meters
from sunshare_sim.units import to_micro

energies = hnp.arrays(np.float64, (5, 7), elements=st.floats(0, 1000))


@given(energies)
def test_registers_are_rounded_once_and_balance_exactly(values):
    flows = Flows(*values)
    net = np.zeros(7, dtype=np.int64)
    totals = Totals(*read_meters(flows, net))
    load, solar, ev, charge, discharge = (to_micro(row) for row in values)
    assert net.tolist() == (load + ev + charge - solar - discharge).tolist()
    assert totals[:5] == tuple(int(register.sum()) for register in (load, solar, ev, charge, discharge))
    assert (totals.deficit, totals.surplus) == (net[net > 0].sum(), -net[net < 0].sum())
    assert (
        totals.solar + totals.discharge + totals.deficit
        == totals.load + totals.ev + totals.charge + totals.surplus
    )

"""Slow, obvious twins of the device kernels: one home or car at a time, in the words of the rule."""

from dataclasses import dataclass


@dataclass
class Battery:
    capacity_kwh: float
    power_kw: float
    charge_efficiency: float
    discharge_efficiency: float
    min_soc_kwh: float
    max_soc_kwh: float
    soc_kwh: float

    def serve(self, net_kwh, hours):
        """Return (charge, discharge), AC side [kWh]."""
        if self.capacity_kwh == 0:
            return 0.0, 0.0
        if net_kwh < 0:
            to_full = max(0.0, self.max_soc_kwh - self.soc_kwh) / self.charge_efficiency
            charge = min([-net_kwh, self.power_kw * hours, to_full])
            self.soc_kwh += charge * self.charge_efficiency
            return charge, 0.0
        to_empty = max(0.0, self.soc_kwh - self.min_soc_kwh) * self.discharge_efficiency
        discharge = min([net_kwh, self.power_kw * hours, to_empty])
        self.soc_kwh -= discharge / self.discharge_efficiency
        return 0.0, discharge


@dataclass
class Stay:
    car: int
    arrival: int
    departure: int
    energy_kwh: float


def charge_all(stays, power_kw, efficiency, spread, slots, hours):
    """Return AC energy by slot and car, and the shortfall of each car, from the stays alone, one stay after another."""
    cars = len(power_kw)
    drawn = [[0.0] * cars for _ in range(slots)]
    shortfall = [0.0] * cars
    for stay in stays:
        car = stay.car
        most = power_kw[car] * hours * efficiency[car]
        need = stay.energy_kwh
        for slot in range(stay.arrival, stay.departure):
            stored = min(need / (stay.departure - slot), most) if spread[car] else min(need, most)
            need -= stored
            if 0 <= slot < slots:
                drawn[slot][car] = stored / efficiency[car]
        if 0 < stay.departure <= slots:
            shortfall[car] += need
    return drawn, shortfall

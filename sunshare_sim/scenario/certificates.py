"""The section `settlement.certificates`: micro carbon credits for renewable energy that the meters have counted."""

from typing import Literal, Self

from pydantic import model_validator

from sunshare_sim.scenario.base import Section, field, mistake


class Certificates(Section):
    """Say how certificates for avoided emissions are made, pooled and sold.

    The default factor is that of German electricity in 2024 (estimate of the Umweltbundesamt 2025: 363 g CO2 a kWh),
    the price that of the German fuel emissions trading act for 2025, 55 EUR a tonne (BEHG, section 10).
    """

    enabled: bool = field(default=False, description="whether certificates are made")
    basis: Literal["injection", "generation"] = field(
        "injection",
        "which metered solar kWh count: those a home gives away in the slot they are made, or all it makes",
    )
    factor_g_per_kwh: float = field(
        363.0, "emissions that a renewable kWh avoids: the grid's factor", unit="g/kWh", ge=0, le=5000
    )
    factor_file: str | None = field(
        None,
        "CSV or Parquet file with `time` (UTC where it names no zone) and `kg_per_kwh`, in steps of at most an hour,"
        " instead of one factor, relative to the scenario file",
        file=True,
    )
    size_kg: float = field(
        1.0, "avoided emissions of one certificate; less waits in the pool", unit="kg", ge=0.001, le=1e6
    )
    price_per_kg: float = field(0.055, "what a buyer pays", unit="currency/kg", ge=0, le=1000)
    buyer: str = field("fund", "who buys: an outside `fund`, or the name of an enterprise's group")
    budget: float | None = field(
        None, "most the buyer spends in the run; unset: no limit", unit="currency", ge=0, le=1e9
    )
    retire: bool = field(default=True, description="whether the buyer retires what it buys, at once")

    @model_validator(mode="after")
    def _one_factor(self) -> Self:
        if (
            self.factor_file is not None
            and "factor_g_per_kwh" in self.model_fields_set
            and self.factor_g_per_kwh != 363.0
        ):
            raise mistake(
                "two factors, one number and a file", key="factor_g_per_kwh", hint="keep one of them"
            )
        return self

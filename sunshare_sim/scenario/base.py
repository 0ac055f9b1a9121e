"""What all sections of a scenario share: frozen models, documented fields, numbers that may be drawn."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from sunshare_sim.errors import did_you_mean


class Names(NamedTuple):
    """Hold the names a scenario may use but this layer does not know; pass as validation context."""

    mechanisms: Collection[str] = ()
    strategies: Collection[str] = ()


def check_name(name: str, valid: Collection[str], what: str) -> str:
    """Return `name` if it is valid or nothing is known of validity, else raise with the nearest name."""
    if valid and name not in valid:
        raise PydanticCustomError(
            "unknown_name",
            "unknown {what}; expected one of {valid}{hint}",
            {
                "what": what,
                "valid": ", ".join(sorted(valid)),
                "hint": f"; {h}" if (h := did_you_mean(name, valid)) else "",
            },
        )
    return name


class Section(BaseModel):
    """Base of every section: frozen, strict about types, unknown keys forbidden."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


def field(default: Any, description: str, *, unit: str = "", **limits: Any) -> Any:
    """Return a pydantic field with a one-line description, a unit and a range.

    Parameters
    ----------
    default : object
        Default value; ``...`` for a field that must be given.
    description : str
        One line, for the published schema and for error messages.
    unit : str
        Unit of a number; empty where there is none.
    **limits
        pydantic's ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``pattern``.
    """
    extra = {"unit": unit} if unit else None
    if isinstance(default, tuple):
        # YAML knows lists only; what holds them here is a tuple, so that a scenario stays frozen.
        limits["strict"] = False
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Uniform(Section):
    """Draw a number evenly between two bounds."""

    min: float = field(..., "lower bound, in the unit of the key it stands under")
    max: float = field(..., "upper bound, in the unit of the key it stands under")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min is above max: {self.min:g} > {self.max:g}")
        return self


class Lognormal(Section):
    """Draw a number from a lognormal law."""

    median: float = field(..., "median, in the unit of the key it stands under", gt=0)
    sigma: float = field(..., "standard deviation of the natural logarithm", unit="1", ge=0, le=2)


def _kind_of_draw(value: object) -> str:
    if isinstance(value, Mapping):
        return "lognormal" if "median" in value or "sigma" in value else "uniform"
    return {Uniform: "uniform", Lognormal: "lognormal"}.get(type(value), "number")


Draw = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[Lognormal, Tag("lognormal")],
    Discriminator(_kind_of_draw),
]
"""A number, `{min, max}` (uniform) or `{median, sigma}` (lognormal): one value a home."""


def within(low: float, high: float) -> AfterValidator:
    """Return a validator that holds a `Draw` between two bounds, whatever its form."""

    def check(draw: float | Uniform | Lognormal) -> float | Uniform | Lognormal:
        if isinstance(draw, Uniform):
            values = [draw.min, draw.max]
        else:
            values = [draw.median if isinstance(draw, Lognormal) else draw]
        for value in values:
            if not low <= value <= high:
                raise ValueError(f"out of range: {value:g}; expected {low:g} to {high:g}")
        return draw

    return AfterValidator(check)

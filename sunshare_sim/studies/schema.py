"""The study file: a base scenario, what is varied, how often it is repeated, and what is asked of it.

Like a scenario it is frozen, strict and forbids unknown keys; `plan` reads it, with every mistake at its line.
"""

from typing import Any, Literal, Self

from pydantic import model_validator

from sunshare_sim.scenario.base import Section, field, mistake

MOST_RUNS = 1_000_000
LEAST_BATCH = 5
NAME_PATTERN = "^[a-z0-9][a-z0-9_-]*$"


class Variant(Section):
    """Change the base: what is set here differs, and nothing else."""

    description: str = field("", "what the variant is, in a sentence")
    set: dict[str, Any] = field(..., "scenario keys, dotted, and their values", min_length=1)


class Interval(Section):
    """Draw between two bounds: whole numbers if both bounds are whole, both included."""

    min: int | float = field(..., "lower bound, in the unit of the key")
    max: int | float = field(..., "upper bound, in the unit of the key")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min < self.max:
            raise mistake("min is not below max", key="min", expected=f"below max, {self.max:g}")
        return self


class Sample(Section):
    """Draw points of a space of scenario keys (`scipy.stats.qmc`); every point is a variant."""

    method: Literal["latin_hypercube", "sobol", "halton"] = field(
        "latin_hypercube", "how the space is filled"
    )
    n: int = field(..., "number of points; a power of two for sobol", unit="1", ge=1, le=MOST_RUNS)
    keys: dict[str, Interval | list[Any]] = field(
        ..., "scenario keys, dotted, each with `{min, max}` or a list of values", min_length=1
    )

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        if self.method == "sobol" and self.n & (self.n - 1):
            near = 1 << self.n.bit_length()
            what, why = "a Sobol sample is balanced for powers of two only", f"{near // 2} or {near}"
            raise mistake(what, key="n", expected=why)
        empty = [key for key, values in self.keys.items() if values == []]
        if empty:
            raise mistake("there is no value to choose from", expected=f"at least one value for {empty[0]}")
        return self


class Until(Section):
    """Replicate in batches until a key figure is known well enough."""

    kpi: str = field(..., "key figure whose paired difference to the base has to be known")
    half_width: float = field(
        ..., "stop when no interval reaches farther from its mean, in the unit of the key figure", gt=0
    )
    max_replications: int = field(100, "stop here in any case", unit="1", ge=LEAST_BATCH, le=MOST_RUNS)


class Quick(Section):
    """Say what a small form of the study is, to try it out (`--quick`)."""

    set: dict[str, Any] = field({}, "scenario keys, dotted, and their values, for base and variants alike")
    replications: int = field(2, "number of seeds", unit="1", ge=1, le=MOST_RUNS)


class StudyFile(Section):
    """Describe a study completely.

    The variants are the named ones, every combination of `grid`, and every point of `sample`; each is compared with the
    base under the same seeds.
    """

    schema_version: Literal[1] = field(1, "version of this format")
    name: str = field("study", "short name; the study's folder is called after it", pattern=NAME_PATTERN)
    question: str = field("", "what the study is to answer, in one sentence")
    base: str | dict[str, Any] = field(..., "scenario file, relative to this one, or the scenario itself")
    variants: dict[str, Variant] = field({}, "changes of the base, by name")
    grid: dict[str, list[Any]] | None = field(
        None, "scenario keys, dotted, each with a list of values; all combinations are variants"
    )
    sample: Sample | None = field(None, "points drawn from a space of scenario keys; each is a variant")
    replications: int = field(10, "number of seeds, counted up from the base's", unit="1", ge=1, le=MOST_RUNS)
    seeds: list[int] | None = field(None, "the seeds themselves, in place of `replications`")
    kpis: tuple[str, ...] = field((), "key figures of interest; none given: all of them")
    until: Until | None = field(None, "add replications until this is reached")
    confidence: float = field(0.95, "level of the intervals", unit="1", gt=0.5, lt=1)
    quick: Quick = field(Quick(), "the small form of the study")
    workers: int | None = field(
        None, "number of worker processes; none given: one a core", unit="1", ge=0, le=4096
    )
    modules: tuple[str, ...] = field(
        (), "Python modules to import first, such as those of your own strategies"
    )

    @model_validator(mode="after")
    def _seeds(self) -> Self:
        if self.seeds is None:
            return self
        if "replications" in self.model_fields_set:
            raise mistake("a study has `seeds` or `replications`, not both", key="replications")
        if not self.seeds:
            raise mistake("there are no seeds", key="seeds", expected="at least one seed, or no such key")
        for i, seed in enumerate(self.seeds):
            if seed in self.seeds[:i]:
                raise mistake("the same seed twice", key=f"seeds.{i}", expected="every seed once")
            if not 0 <= seed < 2**63:
                raise mistake("out of range", key=f"seeds.{i}", expected="0 to below 2^63")
        return self

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.grid is not None and not self.grid:
            raise mistake(
                "the grid is empty", key="grid", expected="scenario keys, each with a list of values"
            )
        for key, values in (self.grid or {}).items():
            if not values:
                raise mistake(f"the grid has no value for {key}", key="grid", expected="at least one value")
        return self

    @model_validator(mode="after")
    def _stopping(self) -> Self:
        if self.until is None:
            return self
        if self.seeds is not None:
            hint = "use `replications`: seeds are then added as they are needed"
            raise mistake("`until` does not go with fixed `seeds`", key="until", hint=hint)
        if self.replications < LEAST_BATCH:
            expected = f"at least {LEAST_BATCH}: an interval from fewer says little"
            raise mistake("too few replications to judge by", key="replications", expected=expected)
        if self.until.max_replications < self.replications:
            expected = f"at least `replications`, {self.replications}"
            raise mistake("below `replications`", key="until.max_replications", expected=expected)
        return self

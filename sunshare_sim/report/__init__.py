"""The report: one self-contained page (HTML or PDF) made of a run or a study, the same bytes each time."""

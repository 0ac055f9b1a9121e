"""Who trades, and how: strategies on cohorts, and Mesa agents as live views on rows."""

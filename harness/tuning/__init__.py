"""Equal tuning: as many trials for every strategy, over ranges that are declared with what they range over."""

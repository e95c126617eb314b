"""How good it is: accuracy and what lies beyond it, by slice, with intervals, as a report."""

"""hvdbench: which way of updating shared weights trains your model soonest?"""

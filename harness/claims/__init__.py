"""`hvdbench claims`: what a suite claims to test, decided by rules that were laid down before its launches.

verdict = rule (harness/suite/claims.py) × number with its interval (numbers.py) × checklist of confounders
(checklist.py). Everything is computed from records, so the same records give the same verdicts.
"""

"""The questions of the asset checks: functions that return findings. `checks` words them and picks severities."""

"""What the asset checks ask: functions that return findings. `checks` words them."""

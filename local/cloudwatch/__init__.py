"""CloudWatch: what is measured, metrics out of logs, and alarms that change state by what they see."""

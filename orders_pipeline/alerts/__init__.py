"""Alerts: failures are posted to a webhook, once for each cause, and again only if the first may not have arrived."""

"""Alerts: what fails is told to a webhook, once for each cause, and again only where that may not have arrived."""

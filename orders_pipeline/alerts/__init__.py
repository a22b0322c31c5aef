"""Alerts: what fails is told to a webhook, once for each cause."""

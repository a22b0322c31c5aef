"""What a person sees and clicks in the Dagster UI, in a real Chromium."""

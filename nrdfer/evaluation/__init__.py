"""Evaluation: predictions, metrics, protocols, figures. Training decides nothing here."""

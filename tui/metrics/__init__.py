"""The engine's figures in the text format of OpenMetrics."""

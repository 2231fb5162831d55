"""Real coding agents at a house, each on its own vendor's model and on others': `python -m bench.agents`."""

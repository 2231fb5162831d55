"""The providers' own wires, written and read here without anything of the gateway's: what is wrong there can't hide here."""

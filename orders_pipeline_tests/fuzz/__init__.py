"""Any bytes at all: what must hold for them, and a fuzzer that looks for some for which it does not."""

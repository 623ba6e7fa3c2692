"""Pure types: what the words of the glossary are made of. No I/O, no clock, no SQL."""

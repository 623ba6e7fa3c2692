"""`leadloop`: the command line. Thin: it reads options, calls the rooms, and prints."""


def main() -> None:
    print("leadloop")

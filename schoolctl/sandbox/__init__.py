"""A local AWS on this machine: an emulator with real containers, a MariaDB, a seeded account."""

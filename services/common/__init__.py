"""What every service needs and no service owns: no word of monitoring appears here."""

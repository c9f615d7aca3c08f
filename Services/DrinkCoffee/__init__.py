"""Task service DrinkCoffee."""

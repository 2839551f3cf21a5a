"""Makes a plan of choices: recipes, studies, engines and tiers become trainings and cells with keys."""

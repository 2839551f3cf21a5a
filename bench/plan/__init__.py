"""The plan: recipes, studies, engines and tiers become trainings and cells with keys."""

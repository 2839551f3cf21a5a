"""Runs a benchmark, looks at it, judges it and uses the best classifier: a notebook as a script, cell by cell."""

# %%
import bench

# The built-in sample of AG News, a bag of words and a small network: about a minute.
run = bench.run(suites=["agnews"], methods=["tfidf", "textcnn"], backends=["sklearn", "eager"], out="runs/notebook")

# %% In a notebook the last line of a cell shows a table; here it is printed.
print(run.leaderboard().markdown.split("\n### ")[2])

# %% Records with names and units, or a data frame.
for result in run.results():
    if result.quality:
        f1 = result.quality.macro_f1
        print(f"{result.cell.recipe}/{result.cell.engine}: macro F1 {f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f})")
frame = run.results().to_pandas()
print(frame[["recipe", "engine", "macro_f1", "single_rate_rps"]])

# %% The same run against itself passes; against an older one this is the gate of a CI job.
assert bench.check(run, run).passed

# %% A classifier of the run answers texts.
texts = ["Shares fall on Wall Street", "The cup final goes to penalties"]
with bench.load(run.classifiers()["agnews.tfidf.s0"]) as model:
    for text, answer in zip(texts, model.predict(texts), strict=True):
        print(f"{answer.label} ({answer.confidence:.2f}): {text}")

"""Cases of files, by subject. They land in this order."""

from orders_pipeline_tests.support.any_file import containers, json_files, others, parquet_files, text, values

CASES = [*text.CASES, *containers.CASES, *parquet_files.CASES, *json_files.CASES, *values.CASES, *others.CASES]

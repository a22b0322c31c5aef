# Run by the Postgres image on an empty volume. The image's own user owns the pipeline's database, and migrates it. The
# services come in as others: `orders_pipeline`, whose rights `migrate` grants, and `dagster`, who owns Dagster's storage
# in a database beside it. Nobody else comes into either.
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 --quiet <<'SQL'
\getenv pipeline_password PIPELINE_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD
CREATE ROLE orders_pipeline LOGIN PASSWORD :'pipeline_password';
CREATE ROLE orders_reader NOLOGIN;
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';
CREATE DATABASE dagster OWNER dagster;
REVOKE ALL ON DATABASE dagster FROM PUBLIC;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO orders_pipeline, orders_reader;
SQL

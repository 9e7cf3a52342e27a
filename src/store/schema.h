/* The schema of varve.db, version SCHEMA_VERSION (SQLite's user_version). Digests are 32-byte
 * blobs, NULL for unknown; chains are the layer ids one after the other; times are seconds since
 * the epoch unless the name says otherwise. To change the schema, raise the number and add the step
 * from the previous version to MIGRATIONS. Internal to store/. */
#ifndef VARVE_STORE_SCHEMA_H
#define VARVE_STORE_SCHEMA_H

#define SCHEMA_VERSION 6
#define SCHEMA_ABOUT "CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
#define SCHEMA_STEPS_SLOT "CREATE INDEX steps_slot ON steps(slot, build) WHERE slot IS NOT NULL"
#define SCHEMA_ABSENT                                                                              \
    "CREATE TABLE absent(layer TEXT PRIMARY KEY, blob BLOB NOT NULL, size INTEGER NOT NULL,"       \
    "  media_type TEXT NOT NULL, below TEXT NOT NULL, variant TEXT, index_blob BLOB,"              \
    "  index_size INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
#define SCHEMA_ABSENT_5                                                                            \
    "CREATE TABLE absent(layer TEXT PRIMARY KEY, blob BLOB NOT NULL, size INTEGER NOT NULL,"       \
    "  media_type TEXT NOT NULL, below TEXT NOT NULL) WITHOUT ROWID"
/* Written with every change of the schema: an older varve tells its user which one is needed. */
#define SCHEMA_SIGN "INSERT OR REPLACE INTO about VALUES('varve', '" VARVE_VERSION "')"
/* MIGRATIONS[n] turns version n+1 into n+2, with exactly the result of SCHEMA_SQL: new columns come
 * last. All that are needed run in one transaction (db_migrate()). Older programs may have the
 * store open meanwhile: what their statements name must be kept. Each released version is in
 * tests/data/store. */
#define MIGRATIONS                                                                                 \
    {"ALTER TABLE images ADD COLUMN base BLOB",                                                    \
     "ALTER TABLE steps ADD COLUMN cpu_us INTEGER NOT NULL DEFAULT 0;"                             \
     "ALTER TABLE steps ADD COLUMN memory_peak INTEGER NOT NULL DEFAULT 0",                        \
     "ALTER TABLE steps ADD COLUMN slot TEXT;"                                                     \
     "ALTER TABLE steps ADD COLUMN platform TEXT;" SCHEMA_STEPS_SLOT ";" SCHEMA_ABOUT,             \
     SCHEMA_ABSENT_5,                                                                              \
     "ALTER TABLE absent ADD COLUMN variant TEXT;"                                                 \
     "ALTER TABLE absent ADD COLUMN index_blob BLOB;"                                              \
     "ALTER TABLE absent ADD COLUMN index_size INTEGER NOT NULL DEFAULT 0;"                        \
     "ALTER TABLE records ADD COLUMN content_key BLOB"}
#define SCHEMA_SQL                                                                                 \
    "CREATE TABLE layers(id TEXT PRIMARY KEY, indexed INTEGER NOT NULL, content BLOB,"             \
    "  size INTEGER NOT NULL, entries INTEGER NOT NULL, diff_id BLOB, source TEXT,"                \
    "  created INTEGER NOT NULL, last_used INTEGER NOT NULL) WITHOUT ROWID;"                       \
    "CREATE INDEX layers_source ON layers(source) WHERE source IS NOT NULL;"                       \
    "CREATE TABLE layer_blobs(layer TEXT, variant TEXT, digest BLOB NOT NULL, diff_id BLOB,"       \
    "  media_type TEXT NOT NULL, PRIMARY KEY(layer, variant)) WITHOUT ROWID;"                      \
    "CREATE TABLE blobs(digest BLOB PRIMARY KEY, size INTEGER NOT NULL, created INTEGER NOT NULL)" \
    "  WITHOUT ROWID;"                                                                             \
    "CREATE TABLE members(raw BLOB, variant TEXT, blob BLOB NOT NULL, offset INTEGER NOT NULL,"    \
    "  size INTEGER NOT NULL, raw_size INTEGER NOT NULL, PRIMARY KEY(raw, variant)) WITHOUT "      \
    "ROWID;"                                                                                       \
    "CREATE TABLE records(key BLOB PRIMARY KEY, chain TEXT NOT NULL, content BLOB,"                \
    "  created INTEGER NOT NULL, last_used INTEGER NOT NULL, duration_us INTEGER NOT NULL,"        \
    "  inputs TEXT, content_key BLOB);"                                                            \
    "CREATE TABLE slots(slot TEXT PRIMARY KEY, key BLOB, inputs TEXT, written INTEGER NOT NULL);"  \
    "CREATE TABLE images(name TEXT NOT NULL, platform TEXT NOT NULL, manifest BLOB, target BLOB,"  \
    "  config BLOB, origin TEXT NOT NULL, chain TEXT, created INTEGER NOT NULL,"                   \
    "  size INTEGER NOT NULL, base BLOB);"                                                         \
    "CREATE UNIQUE INDEX images_name ON images(name, platform) WHERE name != '';"                  \
    "CREATE UNIQUE INDEX images_untagged ON images(config, platform) WHERE name = '';"             \
    "CREATE TABLE volumes(dir TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL,"     \
    "  last_used INTEGER NOT NULL) WITHOUT ROWID;"                                                 \
    "CREATE TABLE builds(id INTEGER PRIMARY KEY, name TEXT, target TEXT, platform TEXT,"           \
    "  started_us INTEGER NOT NULL, duration_us INTEGER NOT NULL, status INTEGER NOT NULL,"        \
    "  steps_ran INTEGER NOT NULL, steps_cached INTEGER NOT NULL, image TEXT, error TEXT);"        \
    "CREATE TABLE steps(build INTEGER, number INTEGER, name TEXT, stage TEXT, level TEXT,"         \
    "  outcome INTEGER NOT NULL, started_us INTEGER NOT NULL, duration_us INTEGER NOT NULL,"       \
    "  layer_bytes INTEGER NOT NULL, why TEXT, key TEXT, cpu_us INTEGER NOT NULL DEFAULT 0,"       \
    "  memory_peak INTEGER NOT NULL DEFAULT 0, slot TEXT, platform TEXT,"                          \
    "  PRIMARY KEY(build, number)) WITHOUT ROWID;" SCHEMA_STEPS_SLOT ";" SCHEMA_ABOUT              \
    ";" SCHEMA_ABSENT ";"

#endif

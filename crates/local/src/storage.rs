//! Where the data is stored: one SQLite database, in memory or in a folder that serves one endpoint at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dynoxide::Database;
use rusqlite::Connection;

use crate::LocalError;

/// Where the data is stored.
#[derive(Debug, Clone, Copy)]
pub enum Storage<'a> {
    /// In memory: it is lost at the end.
    Memory,
    /// In a folder, which is created if it is missing.
    Folder(&'a Path),
}

/// The name of the database inside the folder.
const DATABASE: &str = "dynamodb.sqlite";
/// The file that is locked while an endpoint uses the folder. The folder may contain other programs' files: the name
/// is ours, and the content of the file is never changed.
const LOCK: &str = "ddb-local.lock";

/// Opens the database, and locks its folder if it has one.
pub(crate) fn open(storage: Storage<'_>) -> Result<(Database, Option<File>), LocalError> {
    let Storage::Folder(folder) = storage else {
        return Ok((open_database(&in_memory())?, None));
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let lock = lock(folder)?;
    let path = folder.join(DATABASE);
    let path = path
        .to_str()
        .ok_or_else(|| LocalError::Engine("the path is not Unicode".to_owned()))?;
    Ok((open_database(path)?, Some(lock)))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> LocalError {
    let path = PathBuf::from(path);
    move |error| LocalError::Folder { path, error }
}

fn lock(folder: &Path) -> Result<File, LocalError> {
    let path = folder.join(LOCK);
    let opened = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path);
    let file = opened.map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LocalError::InUse {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// Returns the name of a database in memory that a second connection of this process can open, too: see "In-Memory
/// Databases" in the SQLite documentation.
fn in_memory() -> String {
    static OPENED: AtomicUsize = AtomicUsize::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    format!("file:ddb-local-{number}?mode=memory&cache=shared")
}

/// What the engine's own schema lacks.
///
/// The engine looks up the last record of a stream at each write. Without an index it would read the whole stream each
/// time. It also keeps the stream records of a deleted table, which nothing can read any more.
const ADDED: &str = "
    CREATE INDEX IF NOT EXISTS ddb_local_stream
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE TRIGGER IF NOT EXISTS ddb_local_dropped AFTER DELETE ON _tables BEGIN
        DELETE FROM _stream_records WHERE table_name = old.table_name;
    END;";

/// Deletes the stream records that were left behind before the trigger existed.
const ORPHANS: &str = "DELETE FROM _stream_records
    WHERE table_name NOT IN (SELECT table_name FROM _tables)";

fn open_database(name: &str) -> Result<Database, LocalError> {
    let database = Database::new(name).map_err(|error| LocalError::Engine(error.to_string()))?;
    let orphans = Connection::open(name)
        .and_then(|connection| {
            connection.execute_batch(ADDED)?;
            connection.execute(ORPHANS, [])
        })
        .map_err(|error| LocalError::Engine(error.to_string()))?;
    if orphans > 0 {
        // Returns the space to the disk; SQLite alone would only reuse it.
        database
            .vacuum()
            .map_err(|error| LocalError::Engine(error.to_string()))?;
    }
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    fn records(connection: &Connection, table: &str) -> i64 {
        connection
            .query_row(
                "SELECT COUNT(*) FROM _stream_records WHERE table_name = ?1",
                [table],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// Writes a table and some records of its stream, as the engine does.
    fn table_with_stream(connection: &Connection, table: &str, records: usize) {
        connection
            .execute(
                "INSERT INTO _tables (table_name, key_schema, attribute_definitions, created_at)
                 VALUES (?1, '[]', '[]', 0)",
                [table],
            )
            .unwrap();
        let transaction = connection.unchecked_transaction().unwrap();
        for number in 0..records {
            let number = number.to_string();
            transaction
                .execute(
                    "INSERT INTO _stream_records
                     (table_name, event_name, keys_json, new_image, sequence_number, shard_id, created_at)
                     VALUES (?1, 'INSERT', '{}', ?3, ?2, 's', 0)",
                    [table, number.as_str(), &"x".repeat(1000)],
                )
                .unwrap();
        }
        transaction.commit().unwrap();
    }

    /// If the engine's schema changes, writes to a table with a stream may get slow again.
    #[test]
    fn the_end_of_a_stream_is_found_by_its_index() {
        let name = in_memory();
        let _database = open_database(&name).unwrap();
        let connection = Connection::open(&name).unwrap();
        let last =
            "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
            FROM _stream_records WHERE table_name = 'a'";
        let plan: String = connection
            .query_row(last, [], |row| row.get("detail"))
            .unwrap();
        assert!(plan.contains("INDEX ddb_local_stream"), "{plan}");
    }

    #[test]
    fn a_deleted_table_takes_its_stream_records_along() {
        let name = in_memory();
        let database = open_database(&name).unwrap();
        let connection = Connection::open(&name).unwrap();
        table_with_stream(&connection, "gone", 3);
        table_with_stream(&connection, "kept", 2);
        let request = dynoxide::actions::delete_table::DeleteTableRequest {
            table_name: "gone".to_owned(),
        };
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS \"gone\" (x)")
            .unwrap();
        database.delete_table(request).unwrap();
        assert_eq!(records(&connection, "gone"), 0);
        assert_eq!(records(&connection, "kept"), 2);
    }

    #[test]
    fn a_folder_of_before_is_relieved_of_what_was_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        let name = path.to_str().unwrap();
        {
            // As an earlier version left it: there is no trigger, and the table is deleted.
            let _database = Database::new(name).unwrap();
            let connection = Connection::open(name).unwrap();
            table_with_stream(&connection, "gone", 2000);
            table_with_stream(&connection, "kept", 2);
            connection
                .execute("DELETE FROM _tables WHERE table_name = 'gone'", [])
                .unwrap();
            assert_eq!(records(&connection, "gone"), 2000);
        }
        let before = std::fs::metadata(&path).unwrap().len();
        drop(open_database(name).unwrap());
        let connection = Connection::open(name).unwrap();
        assert_eq!(records(&connection, "gone"), 0);
        assert_eq!(records(&connection, "kept"), 2);
        let after = std::fs::metadata(&path).unwrap().len();
        assert!(after < before / 4, "{before} bytes, then {after}");
    }

    #[test]
    fn two_endpoints_in_memory_are_two_databases() {
        let first = in_memory();
        let _first = open_database(&first).unwrap();
        let second = in_memory();
        let _second = open_database(&second).unwrap();
        let connection = Connection::open(&first).unwrap();
        connection.execute_batch("CREATE TABLE mine (x)").unwrap();
        let connection = Connection::open(&second).unwrap();
        assert!(
            connection
                .execute_batch("INSERT INTO mine VALUES (1)")
                .is_err()
        );
    }

    #[test]
    fn a_folder_serves_one_endpoint_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = Endpoint::start(0, Storage::Folder(&data), Vec::new()).unwrap();
        let error = Endpoint::start(0, Storage::Folder(&data), Vec::new()).unwrap_err();
        assert!(matches!(error, LocalError::InUse { .. }), "{error}");
        first.stop().unwrap();
        Endpoint::start(0, Storage::Folder(&data), Vec::new()).unwrap();
    }

    #[test]
    fn files_that_are_there_keep_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["lock", LOCK] {
            std::fs::write(folder.path().join(name), "precious").unwrap();
        }
        Endpoint::start(0, Storage::Folder(folder.path()), Vec::new()).unwrap();
        for name in ["lock", LOCK] {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(text, "precious", "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Endpoint::start(0, Storage::Folder(&file), Vec::new()).unwrap_err();
        assert!(
            error.to_string().starts_with(&file.display().to_string()),
            "{error}"
        );
    }
}

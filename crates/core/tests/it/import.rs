//! Importing items: what files contain, what is wrong with them, and what is already in the table. Imports are also
//! killed anywhere, and run under any faults.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use ddb_core::import::{
    Checked, Compared, Fault as Wrong, Import, ImportError, Left, LinesRead, Source, SourceError,
    Tally, WhyLeft, check,
};
use ddb_core::item::{ItemView, RawItem, Typed};
use ddb_core::store::{Store, Writer};
use ddb_test_support::http::Request;
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Sandbox, note, run_seeds, side_by_side};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use crate::data::{at, conversation, message, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

fn line(item: &RawItem) -> String {
    let json = serde_json::to_string(&Typed(&ItemView::from(item))).unwrap();
    format!("{{\"Item\":{json}}}\n")
}

fn lines(items: &[RawItem]) -> String {
    items.iter().map(line).collect()
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_ref()).unwrap();
    gzip.finish().unwrap()
}

/// A folder with files to import.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(content: impl AsRef<[u8]>) -> (Self, Arc<Source>) {
        let folder = Self::new();
        let path = folder.put("items.jsonl", content);
        let source = open(&path).unwrap();
        (folder, source)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn open(path: &Path) -> Result<Arc<Source>, SourceError> {
    Source::open(&[path.to_owned()], std::io::empty()).map(Arc::new)
}

fn checked(source: &Source) -> Checked {
    check(source, &LinesRead::default()).unwrap()
}

/// Returns what is wrong with the lines of a file, each with its line number.
fn faults(content: impl AsRef<[u8]>) -> Vec<(u64, Wrong)> {
    let (_folder, source) = Folder::with(content);
    let checked = checked(&source);
    assert_eq!(checked.refused, checked.bad.len() as u64);
    let bad = checked.bad.into_iter().map(|bad| {
        let (_, line) = bad.place.rsplit_once(':').unwrap();
        (line.parse().unwrap(), bad.fault)
    });
    bad.collect()
}

/// Imports the items of a source.
async fn import(
    source: &Arc<Source>,
    store: &Store,
    writer: Option<&Writer>,
) -> (Result<(), ImportError>, [u64; 3], Vec<Left>) {
    let checked = Arc::new(checked(source));
    import_checked(source, &checked, store, writer).await
}

async fn import_checked(
    source: &Arc<Source>,
    checked: &Arc<Checked>,
    store: &Store,
    writer: Option<&Writer>,
) -> (Result<(), ImportError>, [u64; 3], Vec<Left>) {
    let tally = Tally::default();
    let import = Import {
        store,
        writer,
        source,
        checked,
        rate: None,
        read: &Arc::default(),
        tally: &tally,
    };
    let done = import.write().await;
    let counts = [tally.written(), tally.unchanged(), tally.different()];
    (done, counts, tally.left())
}

async fn brought(source: &Arc<Source>, sandbox: &Sandbox) -> [u64; 3] {
    let (done, counts, _) = import(source, &sandbox.store(), Some(&sandbox.writer())).await;
    done.unwrap();
    counts
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Two conversations of some messages, with their rows, and an item of unknown shape.
fn table(messages: usize) -> Vec<RawItem> {
    let mut items = Vec::new();
    for (n, people) in [(1, (1, 2)), (2, (1, 3))] {
        let mut time = at(T).plus_micros(n * 7).unwrap();
        for m in 0..messages {
            time = time.plus_micros(1_000_000).unwrap();
            let talk = conversation(n as u128);
            items.push(raw(&message(talk, time, people.0, &format!("message {m}"))));
        }
        let last = format!("message {}", messages - 1);
        let talk = conversation(n as u128);
        items.push(raw(&row(talk, time, people, &last)));
        items.push(raw(&row(talk, time, (people.1, people.0), &last)));
    }
    let mut odd = items[0].clone();
    odd.insert("sk".to_owned(), s("odd"));
    odd.insert("likes".to_owned(), AttributeValue::N("1".to_owned()));
    items.push(odd);
    items
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn keyed(sk: &str, more: &[(&str, AttributeValue)]) -> RawItem {
    let more = more.iter().cloned();
    [("pk", s("p")), ("sk", s(sk))]
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A text inside so many levels of lists and maps.
fn nested(levels: usize) -> AttributeValue {
    (1..levels).fold(s("inside"), |inside, level| match level % 2 {
        0 => AttributeValue::L(vec![inside]),
        _ => AttributeValue::M([("m".to_owned(), inside)].into()),
    })
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let number = || "-?[1-9][0-9]{0,37}";
    let text = || proptest::collection::vec(any::<char>(), 1..12).prop_map(String::from_iter);
    let bytes = || proptest::collection::vec(any::<u8>(), 1..9).prop_map(Blob::new);
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        proptest::collection::btree_set("[a-zé]{1,4}", 1..4)
            .prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
        proptest::collection::btree_set(number(), 1..4)
            .prop_map(|set| AttributeValue::Ns(set.into_iter().collect())),
        proptest::collection::btree_set(any::<[u8; 3]>(), 1..4)
            .prop_map(|set| AttributeValue::Bs(set.into_iter().map(Blob::new).collect())),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::hash_map(".{1,4}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn any_items() -> impl Strategy<Value = Vec<RawItem>> {
    let more = proptest::collection::hash_map("[a-z]{3,6}", any_value(), 0..5);
    proptest::collection::vec(more, 1..30).prop_map(|items| {
        let keyed = |(n, mut item): (usize, RawItem)| {
            item.insert("pk".to_owned(), s(&format!("p{}", n % 3)));
            item.insert("sk".to_owned(), s(&format!("s{n:03}")));
            item
        };
        items.into_iter().enumerate().map(keyed).collect()
    })
}

fn views(items: &[RawItem]) -> Vec<ItemView<'_>> {
    let mut views: Vec<_> = items.iter().map(ItemView::from).collect();
    views.sort_by_key(|item| format!("{:?}{:?}", item.get("pk"), item.get("sk")));
    views
}

/// Checks whether the engine accepts empty texts. Early versions of DynamoDB Local do not.
fn takes_empty_texts(sandbox: &Sandbox) -> bool {
    sandbox.is_embedded()
}

/// p37: items with every type, an item of 400 KB, numbers of 38 digits, empty texts, 32 levels.
#[test]
fn p37_items_of_every_type_come_back_as_they_were() {
    let mut extreme = vec![
        keyed("digits", &[("n", AttributeValue::N("9".repeat(38)))]),
        keyed("levels", &[("l", nested(32))]),
    ];
    let mut large = keyed("large", &[]);
    let room = ddb_core::item::MAX_SIZE - ddb_core::item::size(&large) - "text".len();
    large.insert("text".to_owned(), s(&"\u{1}".repeat(room)));
    extreme.push(large);
    let sandbox = Sandbox::new();
    block_on(sandbox.create_table());
    if takes_empty_texts(&sandbox) {
        let empty = AttributeValue::B(Blob::new([]));
        extreme.push(keyed("empty", &[("t", s("")), ("b", empty)]));
    }
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let mut all = Vec::new();
    for batch in 0..12 {
        let mut items = any_items().new_tree(&mut runner).unwrap().current();
        for item in &mut items {
            let AttributeValue::S(pk) = &item["pk"] else {
                unreachable!()
            };
            let pk = format!("{batch} {pk}");
            item.insert("pk".to_owned(), AttributeValue::S(pk));
        }
        all.extend(items);
    }
    all.extend(extreme);
    let (_folder, source) = Folder::with(gzip(lines(&all)));
    assert_eq!(checked(&source).bad, []);
    let written = block_on(brought(&source, &sandbox));
    assert_eq!(written, [all.len() as u64, 0, 0]);
    let found = block_on(sandbox.items());
    let (found, wanted) = (views(&found), views(&all));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found.normalized(), wanted.normalized());
    }
    assert_eq!(found.len(), wanted.len());
    let again = block_on(brought(&source, &sandbox));
    assert_eq!(again, [0, all.len() as u64, 0]);
}

#[tokio::test]
async fn what_is_there_is_left_as_it_is_and_a_second_run_writes_nothing() {
    let sandbox = Sandbox::with_table().await;
    let items = table(120);
    let mut other = items[5].clone();
    other.insert("message".to_owned(), s("mine"));
    sandbox.put(other.clone()).await;
    sandbox.put(items[7].clone()).await;
    let (_folder, source) = Folder::with(lines(&items));
    let (done, counts, left) = import(&source, &sandbox.store(), Some(&sandbox.writer())).await;
    done.unwrap();
    let all = items.len() as u64;
    assert_eq!(counts, [all - 2, 1, 1]);
    let [pk, sk] = ["pk", "sk"].map(|name| items[5][name].as_s().unwrap().clone());
    let why = WhyLeft::OtherContent;
    assert_eq!(left, [Left { pk, sk, why }]);
    let there = sandbox.items().await;
    assert!(there.contains(&other));
    assert_eq!(brought(&source, &sandbox).await, [0, all - 1, 1]);
    assert_eq!(sandbox.items().await, there);
}

#[tokio::test]
async fn a_trial_counts_what_would_be_written_and_writes_nothing() {
    let sandbox = Sandbox::with_table().await;
    let items = table(60);
    sandbox.put(items[0].clone()).await;
    let (_folder, source) = Folder::with(lines(&items));
    let (done, counts, _) = import(&source, &sandbox.store(), None).await;
    done.unwrap();
    assert_eq!(counts, [items.len() as u64 - 1, 1, 0]);
    assert_eq!(sandbox.items().await, [items[0].clone()]);
}

#[tokio::test]
async fn numbers_are_equal_however_they_are_written() {
    let sandbox = Sandbox::with_table().await;
    let numbers = |one: &str, set: [&str; 2]| {
        let set = set.map(str::to_owned).to_vec();
        let list = AttributeValue::L(vec![AttributeValue::N(one.to_owned())]);
        keyed("n", &[("l", list), ("s", AttributeValue::Ns(set))])
    };
    sandbox.put(numbers("100", ["1", "20"])).await;
    let (_folder, source) = Folder::with(lines(&[numbers("1e2", ["2E1", "1.0"])]));
    assert_eq!(brought(&source, &sandbox).await, [0, 1, 0]);
}

/// A row is not put if its owner already has another one of that conversation, in the table or earlier in the files.
#[tokio::test]
async fn nobody_gets_a_second_row_of_a_conversation() {
    let sandbox = Sandbox::with_table().await;
    let talk = conversation(1);
    let later = at(T).plus_micros(1).unwrap();
    sandbox.put(raw(&row(talk, later, (1, 2), "newer"))).await;
    let first = raw(&row(talk, at(T), (2, 1), "x"));
    let items = [
        raw(&row(talk, at(T), (1, 2), "x")),
        first.clone(),
        raw(&row(talk, later, (2, 1), "newer")),
        raw(&row(
            conversation(2),
            later.plus_micros(1).unwrap(),
            (2, 1),
            "y",
        )),
    ];
    let (_folder, source) = Folder::with(lines(&items));
    let (done, counts, left) = import(&source, &sandbox.store(), Some(&sandbox.writer())).await;
    done.unwrap();
    assert_eq!(counts, [2, 0, 2]);
    assert!(
        left.iter().all(|left| left.why == WhyLeft::OtherRow),
        "{left:?}"
    );
    let there = sandbox.items().await;
    assert!(
        there.contains(&first) && there.contains(&items[3]),
        "{there:?}"
    );
    assert_eq!(there.len(), 3);
}

/// Rows are written last: if a row is there, everything else is.
#[tokio::test]
async fn rows_come_after_everything_else() {
    let sandbox = Sandbox::with_table().await;
    let mut items = table(80);
    items.reverse();
    let rows = |items: &[RawItem]| {
        let is_row = |item: &&RawItem| item["pk"].as_s().unwrap().starts_with("GRP#");
        items.iter().filter(is_row).count()
    };
    let (_folder, source) = Folder::with(lines(&items));
    for nth in 0.. {
        let sandbox = Sandbox::embedded();
        sandbox.create_table().await;
        let proxy = Proxy::start(&sandbox.url(), move |n, _| {
            (n == nth).then_some(Fault::KilledBefore)
        });
        let writer = sandbox.writer_at(&proxy.url());
        let work = import(&source, &writer, Some(&writer));
        let ended = proxy.work(work).await;
        let there = sandbox.items().await;
        let others = items.len() - rows(&items);
        assert!(rows(&there) == 0 || there.len() - rows(&there) == others);
        if ended.is_some() {
            break;
        }
    }
    brought(&source, &sandbox).await;
}

#[test]
fn each_line_that_is_no_item_is_named() {
    let good = line(&keyed("1", &[]));
    let texts = [
        "{\"Item\":{\"pk\":{\"S\":\"p\"}}}",
        "{\"Item\":{\"pk\":{\"S\":\"\"},\"sk\":{\"S\":\"s\"}}}",
        "{\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"N\":\"1\"}}}",
        "{\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"message_group_uuid\":{\"N\":\"1\"}}}",
        "{\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"\":{\"N\":\"1\"}}}",
    ];
    let keys = [
        Wrong::NoKey("sk"),
        Wrong::OtherKey("pk"),
        Wrong::OtherKey("sk"),
        Wrong::OtherKey("message_group_uuid"),
        Wrong::NoName,
    ];
    let file = format!("{good}\n{}\n", texts.join("\n"));
    let wanted: Vec<_> = (3..).zip(keys).collect();
    assert_eq!(faults(file), wanted);
    let long = keyed(&"s".repeat(1025), &[]);
    assert_eq!(faults(line(&long)), [(1, Wrong::LongKey("sk", 1025, 1024))]);
    let large = keyed("1", &[("t", s(&"x".repeat(ddb_core::item::MAX_SIZE)))]);
    assert_eq!(faults(line(&large)), [(1, Wrong::TooLarge(409_607))]);
    assert_eq!(faults(b"\xff\n"), [(1, Wrong::NotUtf8)]);
    for (value, shown) in [
        (
            "{\"LATER\":1}",
            "its `v` holds a value of a type that is not known",
        ),
        ("{\"N\":\"one\"}", "its `v` holds a number that is none"),
        (
            "{\"N\":\"1e126\"}",
            "its `v` holds a number that is too large or too small",
        ),
        ("{\"SS\":[]}", "its `v` holds an empty set"),
        (
            "{\"NS\":[\"1\",\"1.0\"]}",
            "its `v` holds a set that contains an element twice",
        ),
        (
            "{\"S\":\"a\",\"N\":\"1\"}",
            "an attribute value of two types",
        ),
        ("{\"B\":\"?\"}", "Invalid symbol 63, offset 0."),
        (
            "{\"S\":\"\\ud800\"}",
            "it is not JSON: unexpected end of hex escape at column 48",
        ),
    ] {
        let line =
            format!("{{\"Item\":{{\"pk\":{{\"S\":\"p\"}},\"sk\":{{\"S\":\"s\"}},\"v\":{value}}}}}");
        let found = faults(&line);
        assert_eq!(found.len(), 1, "{line}");
        assert_eq!(found[0].1.to_string(), shown, "{line}");
    }
    let deep = line(&keyed("1", &[("v", nested(33))]));
    let found = faults(deep);
    assert_eq!(
        found[0].1.to_string(),
        "its `v` holds more than 32 levels of lists and maps"
    );
    for (line, shown) in [
        ("{\"pk\":{\"S\":\"p\"}}", "it has `pk`, not only `Item`"),
        ("{}", "it has no `Item`"),
        ("{\"Item\":{},\"Item\":{}}", "it has two of `Item`"),
        (
            "{\"Keys\":{}}",
            "it is of an incremental export, which says what changed and not what there is",
        ),
        ("[]", "expected `{` at byte 0"),
        ("nothing", "expected `{` at byte 0"),
        ("{\"Item\":{}", "expected `}` at byte 10"),
        ("{\"Item\":{}} and", "more than an item, at byte 12"),
    ] {
        let found = faults(line);
        assert_eq!(found[0].1.to_string(), shown, "{line}");
    }
}

/// A line that is longer than any item is skipped without being kept.
#[test]
fn a_line_that_is_too_long_is_named_and_the_next_one_read() {
    let folder = Folder::new();
    let path = folder.put("items.jsonl", line(&keyed("1", &[])));
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    let before = file.metadata().unwrap().len();
    file.set_len(before + 64 * 1024 * 1024).unwrap();
    file.write_all(format!("\n{}", line(&keyed("2", &[]))).as_bytes())
        .unwrap();
    let found = checked(&open(&path).unwrap());
    assert_eq!((found.read, found.refused), (3, 1));
    assert_eq!(found.bad[0].fault, Wrong::TooLong(8 * 1024 * 1024));
    assert!(found.bad[0].place.ends_with("items.jsonl:2"));
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_named_unless_the_items_are_equal() {
    let [one, other] = ["a", "b"].map(|text| keyed("1", &[("t", s(text))]));
    let equal = keyed("2", &[("n", AttributeValue::N("1".to_owned()))]);
    let written_otherwise = keyed("2", &[("n", AttributeValue::N("1.0".to_owned()))]);
    let file = lines(&[one, equal, other, written_otherwise]);
    let (_folder, source) = Folder::with(&file);
    let found = checked(&source);
    let lines: Vec<_> = found.bad.iter().map(|bad| bad.fault.to_string()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("items.jsonl:3, with other content"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("items.jsonl:1, with other content"),
        "{lines:?}"
    );
    // The rest of the files is imported, and the equal items once.
    let sandbox = Sandbox::with_table().await;
    let (done, counts, _) = import(&source, &sandbox.store(), Some(&sandbox.writer())).await;
    done.unwrap();
    assert_eq!(counts, [1, 1, 0]);
    assert_eq!(sandbox.items().await.len(), 1);
}

#[tokio::test]
async fn a_table_is_compared_both_ways() {
    let sandbox = Sandbox::with_table().await;
    let mut items = table(50);
    sandbox.fill(&items).await;
    let (_folder, source) = Folder::with(lines(&items));
    let all = items.len() as u64;
    let equal = Compared {
        unchanged: all,
        ..Compared::default()
    };
    let found = checked(&source)
        .compare(&sandbox.store(), None, |_| ())
        .await;
    assert_eq!(found.unwrap(), equal);

    sandbox.put(keyed("extra", &[])).await;
    sandbox.delete(&items[0]).await;
    items[1].insert("message".to_owned(), s("another"));
    sandbox.put(items[1].clone()).await;
    let found = checked(&source)
        .compare(&sandbox.store(), None, |_| ())
        .await;
    let differences = Compared {
        unchanged: all - 2,
        different: 1,
        missing: 1,
        extra: 1,
    };
    assert_eq!(found.unwrap(), differences);
}

#[test]
fn a_file_that_gzip_made_is_read_in_all_its_parts_and_its_end_is_missed() {
    let items = table(40);
    let (first, last) = items.split_at(30);
    let both = [gzip(lines(first)), gzip(lines(last))].concat();
    let (_folder, source) = Folder::with(&both);
    assert_eq!(checked(&source).read, items.len() as u64);
    for cut in [both.len() - 1, both.len() - 9, 40, 11] {
        let (_folder, source) = Folder::with(&both[..cut]);
        let error = check(&source, &LinesRead::default()).unwrap_err();
        assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
    }
    let mut damaged = both.clone();
    damaged[both.len() / 4] ^= 0x55;
    let (_folder, source) = Folder::with(&damaged);
    let read = check(&source, &LinesRead::default());
    // Damage that gzip itself does not notice shows in its checksum.
    assert!(
        matches!(read, Err(SourceError::Unreadable { .. })),
        "{read:?}"
    );
}

#[test]
fn standard_input_is_kept_for_the_second_reading() {
    let items = table(10);
    let source = Source::open(&[PathBuf::from("-")], lines(&items).as_bytes()).unwrap();
    for _ in 0..2 {
        assert_eq!(checked(&source).read, items.len() as u64);
    }
}

/// p38: what is written is what was checked.
#[tokio::test]
async fn p38_a_file_that_changes_while_it_is_read_is_noticed() {
    let items = table(300);
    for changed in [
        lines(&items[1..]),
        lines(&items).replace("message 9\"", "massage 9\""),
    ] {
        let sandbox = Sandbox::embedded();
        sandbox.create_table().await;
        let folder = Folder::new();
        let path = folder.put("items.jsonl", lines(&items));
        let source = open(&path).unwrap();
        let checked = Arc::new(checked(&source));
        std::fs::write(&path, changed).unwrap();
        let writer = sandbox.writer();
        let (done, ..) = import_checked(&source, &checked, &writer, Some(&writer)).await;
        let error = done.unwrap_err();
        assert!(
            matches!(error, ImportError::Source(SourceError::Changed(_))),
            "{error}"
        );
        let there = sandbox.items().await;
        assert!(there.iter().all(|item| items.contains(item)));
    }
}

/// Writes the manifests of an export as S3 has them. Returns the export's folder.
fn export(folder: &Folder, summary: &str, files: &str) -> PathBuf {
    folder.put("export/manifest-summary.json", summary);
    folder.put("export/manifest-files.json", files);
    folder.0.path().join("export")
}

const SUMMARY: &str = r#"{"version":"2020-06-30","outputFormat":"DYNAMODB_JSON","exportType":"FULL_EXPORT","itemCount":2}"#;

fn listed(name: &str, content: &[u8]) -> String {
    use base64::Engine;
    use md5::Digest;
    let md5 = base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(content));
    format!(
        "{{\"itemCount\":1,\"md5Checksum\":\"{md5}\",\"etag\":\"x-1\",\"dataFileS3Key\":\"AWSDynamoDB/0-1/data/{name}\"}}\n"
    )
}

#[test]
fn an_export_to_s3_is_read_as_a_whole() {
    let [one, two] = ["1", "2"].map(|sk| gzip(line(&keyed(sk, &[]))));
    let folder = Folder::new();
    folder.put("export/data/a.json.gz", &one);
    folder.put("export/data/b.json.gz", &two);
    let manifest = listed("a.json.gz", &one) + &listed("b.json.gz", &two);
    let path = export(&folder, SUMMARY, &manifest);
    assert_eq!(checked(&open(&path).unwrap()).read, 2);

    // Without the manifests, only the data is read.
    let bare = Folder::new();
    bare.put("export/data/a.json.gz", &one);
    assert_eq!(
        checked(&open(&bare.0.path().join("export")).unwrap()).read,
        1
    );

    let damaged = export(
        &folder,
        SUMMARY,
        &(listed("a.json.gz", &two) + &listed("b.json.gz", &two)),
    );
    let error = check(&open(&damaged).unwrap(), &LinesRead::default()).unwrap_err();
    assert!(matches!(error, SourceError::Checksum(_)), "{error}");

    for (summary, files, fault) in [
        (
            SUMMARY,
            listed("c.json.gz", &one),
            "manifest-files.json names `c.json.gz`, which is not there",
        ),
        (
            SUMMARY,
            listed("a.json.gz", &one),
            "`b.json.gz` is there, and manifest-files.json does not name it",
        ),
        (
            SUMMARY,
            "{}\n".to_owned(),
            "manifest-files.json: a line without `dataFileS3Key`",
        ),
        (
            &SUMMARY.replace("FULL", "INCREMENTAL"),
            String::new(),
            "an incremental export says what changed, and cannot be imported; a full one can",
        ),
        (
            &SUMMARY.replace("DYNAMODB_JSON", "ION"),
            String::new(),
            "the export is in the format ION; DYNAMODB_JSON can be imported",
        ),
    ] {
        let path = export(&folder, summary, &files);
        let error = open(&path).unwrap_err().to_string();
        assert!(error.ends_with(&format!("export: {fault}")), "{error}");
    }
    let empty = Folder::new();
    let error = open(empty.0.path()).unwrap_err();
    assert!(
        error.to_string().contains("it has no folder `data`"),
        "{error}"
    );
}

/// An import that is killed at each of its requests and run again makes the same table.
#[test]
fn p38_an_import_that_is_killed_at_any_request_ends_in_the_same_table() {
    let items = table(130);
    let (_folder, source) = Folder::with(lines(&items));
    let expected = {
        let sandbox = Sandbox::embedded();
        block_on(sandbox.create_table());
        block_on(brought(&source, &sandbox));
        block_on(sandbox.items())
    };
    assert_eq!(expected.len(), items.len());
    let kills = AtomicU64::new(0);
    side_by_side(&[Fault::KilledBefore, Fault::KilledAfter], |fault| {
        for nth in 0.. {
            let (sandbox, fault) = (Sandbox::embedded(), *fault);
            block_on(sandbox.create_table());
            let proxy = Proxy::start(&sandbox.url(), move |n, _| (n == nth).then_some(fault));
            let killed = block_on(async {
                let writer = sandbox.writer_at(&proxy.url());
                let work = import(&source, &writer, Some(&writer));
                proxy.work(work).await.is_none()
            });
            let [written, unchanged, different] = block_on(brought(&source, &sandbox));
            assert_eq!(written + unchanged, items.len() as u64, "{fault:?} {nth}");
            assert_eq!(different, 0, "{fault:?} {nth}");
            assert_eq!(block_on(sandbox.items()), expected, "{fault:?} {nth}");
            if !killed {
                break;
            }
            kills.fetch_add(1, Ordering::SeqCst);
        }
    });
    let kills = kills.into_inner();
    assert!(kills > 20, "{kills}");
    note(&format!("p38: {kills} kills of an import, all converged"));
}

/// Lost replies, throttling, resets, unprocessed items: existing items are never changed, and the counts are correct.
#[test]
fn p38_an_import_under_any_faults_counts_truly_and_changes_nothing() {
    const PASSING: [Fault; 5] = [
        Fault::Throttled,
        Fault::Reset,
        Fault::ReplyLost,
        Fault::Unprocessed,
        Fault::EmptyPage,
    ];
    let items = table(40);
    let (_folder, source) = Folder::with(lines(&items));
    let faults = AtomicU64::new(0);
    let seeds = run_seeds(200, 10_000, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let sandbox = Sandbox::embedded();
        block_on(sandbox.create_table());
        // Some are there unchanged, some with different content.
        let mut there = Vec::new();
        let mut others = 0;
        for item in &items {
            match rng.u8(..8) {
                0 => there.push(item.clone()),
                1 => {
                    let mut other = item.clone();
                    other.insert("message".to_owned(), s("another"));
                    there.push(other);
                    others += 1;
                }
                _ => {}
            }
        }
        block_on(sandbox.fill(&there));
        let proxy = Proxy::start(&sandbox.url(), move |nth: usize, _: &Request| {
            let mut rng = fastrand::Rng::with_seed(seed << 32 | nth as u64);
            (rng.u8(..4) == 0).then(|| PASSING[rng.usize(..PASSING.len())])
        });
        let writer = sandbox.writer_at(&proxy.url());
        let (done, [written, unchanged, different], _) =
            block_on(import(&source, &writer, Some(&writer)));
        let now = block_on(sandbox.items());
        assert!(there.iter().all(|item| now.contains(item)));
        assert!(
            now.iter()
                .all(|item| items.contains(item) || there.contains(item))
        );
        if done.is_ok() {
            assert_eq!(now.len(), items.len());
            assert_eq!(written, (items.len() - there.len()) as u64);
            assert_eq!(
                (unchanged, different),
                ((there.len() - others) as u64, others as u64)
            );
        } else {
            // Items that were reported as written are there.
            assert!(now.len() >= there.len() + usize::try_from(written).unwrap());
        }
        let [.., different] = block_on(brought(&source, &sandbox));
        assert_eq!(different, others as u64);
        assert_eq!(block_on(sandbox.items()).len(), items.len());
        let met: usize = proxy.injected().into_values().sum();
        faults.fetch_add(met as u64, Ordering::SeqCst);
    });
    let faults = faults.into_inner();
    assert!(faults >= seeds as u64, "{faults}");
    note(&format!(
        "p38: {seeds} seeds with {faults} faults, all true"
    ));
}

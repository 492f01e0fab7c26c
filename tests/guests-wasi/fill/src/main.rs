//! Fills its folders. Each line of its input is an order, each of its output what came of one: a number, or an error's number.
//!
//! | order | what is done | answer |
//! |---|---|---|
//! | `fill PATH PIECE` | appends pieces until that fails | bytes |
//! | `rewrite PATH PIECE` | writes pieces over a file from its start until that fails | bytes |
//! | `many FOLDER` | makes empty files until that fails | files |
//! | `write PATH BYTES` | writes a whole file | bytes |
//! | `at PATH OFFSET BYTES` | writes into the middle of a file that is there | bytes |
//! | `size PATH BYTES` | makes a file so long | bytes |
//! | `open PATH` | opens a file for writing, and makes it if it is missing | 0 |
//! | `folder PATH`, `remove PATH`, `link PATH PATH`, `rename PATH PATH` | as they say | 0 |
//! | `code PATH` | appends a byte, in the words of WASI 0.2 itself | 0, or its error's name |
//! | `churn FOLDER COUNT` | makes files of four KiB, reads, lists and removes them | files |
//! | `nameless COUNT BYTES` | keeps files open that it has removed, and fills them so far | bytes |

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};

fn main() {
    let mut orders = String::new();
    let _ = io::stdin().read_to_string(&mut orders);
    let mut open = Vec::new();
    for order in orders.lines() {
        match follow(order, &mut open) {
            Ok(number) => println!("{number}"),
            // Not every number has a name here.
            Err(error) => match error.raw_os_error() {
                Some(number) => println!("error {number}"),
                None => println!("{:?}", error.kind()),
            },
        }
    }
}

fn follow(order: &str, open: &mut Vec<File>) -> io::Result<usize> {
    let words: Vec<&str> = order.split(' ').collect();
    let number = |word: &str| word.parse::<usize>().map_err(|_| io::Error::from(ErrorKind::InvalidInput));
    match words.as_slice() {
        ["fill", path, piece] => {
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            Ok(until_it_fails(&mut file, number(piece)?))
        }
        ["rewrite", path, piece] => {
            let mut file = OpenOptions::new().write(true).open(path)?;
            Ok(until_it_fails(&mut file, number(piece)?))
        }
        ["many", folder] => {
            let make = |count: &usize| File::create_new(format!("{folder}/many-{count}")).is_ok();
            Ok((0..1_000_000).take_while(make).count())
        }
        ["churn", folder, count] => churn(folder, number(count)?),
        ["write", path, bytes] => {
            std::fs::write(path, vec![b'w'; number(bytes)?])?;
            number(bytes)
        }
        ["at", path, offset, bytes] => {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(number(offset)? as u64))?;
            file.write_all(&vec![b'a'; number(bytes)?])?;
            number(bytes)
        }
        ["size", path, bytes] => {
            OpenOptions::new().write(true).create(true).open(path)?.set_len(number(bytes)? as u64)?;
            number(bytes)
        }
        ["open", path] => OpenOptions::new().write(true).create(true).open(path).map(|_| 0),
        ["folder", path] => std::fs::create_dir(path).map(|()| 0),
        ["remove", path] => std::fs::remove_file(path).map(|()| 0),
        ["link", from, to] => std::fs::hard_link(from, to).map(|()| 0),
        ["rename", from, to] => std::fs::rename(from, to).map(|()| 0),
        #[cfg(target_env = "p2")]
        ["code", path] => {
            println!("{}", code(path));
            Ok(0)
        }
        ["nameless", count, bytes] => {
            let (mut whole, bytes) = (0, number(bytes)?);
            for _ in 0..number(count)? {
                let mut file = File::create("/data/nameless")?;
                std::fs::remove_file("/data/nameless")?;
                let piece = vec![b'n'; 1000];
                for _ in 0..bytes / piece.len() {
                    match file.write_all(&piece) {
                        Ok(()) => whole += piece.len(),
                        Err(_) => break,
                    }
                }
                open.push(file);
            }
            Ok(whole)
        }
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

fn churn(folder: &str, count: usize) -> io::Result<usize> {
    let path = |number: usize| format!("{folder}/churn-{number}");
    for number in 0..count {
        std::fs::write(path(number), vec![b'c'; 4096])?;
    }
    let mut read = 0;
    for number in 0..count {
        read += std::fs::read(path(number))?.len();
    }
    let listed = std::fs::read_dir(folder)?.filter(|entry| entry.is_ok()).count();
    for number in 0..count {
        std::fs::remove_file(path(number))?;
    }
    Ok(listed.min(read / 4096))
}

fn until_it_fails(file: &mut File, piece: usize) -> usize {
    let piece = vec![b'f'; piece];
    // More than any limit of the suites.
    (0..1_000_000).take_while(|_| file.write_all(&piece).is_ok()).count() * piece.len()
}

/// What WASI 0.2 says, which the C library makes one error of.
#[cfg(target_env = "p2")]
fn code(path: &str) -> String {
    use wasip2::filesystem::preopens::get_directories;
    use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags, filesystem_error_code};
    use wasip2::io::streams::StreamError;
    let folders = get_directories();
    let Some((root, _)) = folders.iter().find(|(_, name)| name == "/") else { return "no root".to_owned() };
    let path = path.trim_start_matches('/');
    let file = match root.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::WRITE) {
        Ok(file) => file,
        Err(error) => return format!("{error:?}"),
    };
    let Ok(stream) = file.append_via_stream() else { return "no stream".to_owned() };
    let appended = match stream.blocking_write_and_flush(b"x") {
        Ok(()) => "0".to_owned(),
        Err(StreamError::LastOperationFailed(error)) => format!("{:?}", filesystem_error_code(&error)),
        Err(StreamError::Closed) => "closed".to_owned(),
    };
    format!("{appended} {:?} {:?}", file.write(b"x", 1 << 40), file.set_size(1 << 40))
}

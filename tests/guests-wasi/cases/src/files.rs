//! Folders and files.

use crate::{Case, Said};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

pub(crate) const CASES: &[Case] = &[
    ("read", || Ok(fs::read_to_string("/ro/a.txt")?)),
    ("read-below", || Ok(fs::read_to_string("/ro/b/c.txt")?)),
    ("read-by-dots", || Ok(fs::read_to_string("/ro/b/../a.txt")?)),
    ("read-missing", || kind(fs::read("/ro/none"))),
    ("read-folder", || kind(fs::read("/ro/b"))),
    ("read-nowhere", || kind(fs::read("/nowhere/file"))),
    ("read-etc", || kind(fs::read("/etc/passwd"))),
    ("read-dots-out", || kind(fs::read("/ro/../etc/passwd"))),
    ("read-dots-far-out", || kind(fs::read("/ro/b/../../../../etc/passwd"))),
    ("read-link", || Ok(fs::read_to_string("/ro/link.txt")?)),
    ("read-link-out", || kind(fs::read("/ro/out.txt"))),
    ("read-link-absolute", || kind(fs::read("/ro/absolute.txt"))),
    ("read-link-folder-out", || kind(fs::read("/ro/outside/passwd"))),
    ("read-link-loop", || kind(fs::read("/ro/loop"))),
    ("readlink", || Ok(fs::read_link("/ro/link.txt")?.display().to_string())),
    ("list", || list("/ro")),
    ("list-below", || list("/ro/b")),
    ("list-file", || kind(fs::read_dir("/ro/a.txt").map(drop))),
    ("stat", || {
        let found = fs::metadata("/ro/a.txt")?;
        Ok(format!("{} {} {}", found.len(), found.is_file(), found.modified().is_ok()))
    }),
    ("stat-link", || Ok(fs::symlink_metadata("/ro/link.txt")?.file_type().is_symlink().to_string())),
    ("ro-write", || kind(fs::write("/ro/new.txt", "x"))),
    ("ro-append", || kind(OpenOptions::new().append(true).open("/ro/a.txt").map(drop))),
    ("ro-truncate", || kind(OpenOptions::new().write(true).truncate(true).open("/ro/a.txt").map(drop))),
    ("ro-remove", || kind(fs::remove_file("/ro/a.txt"))),
    ("ro-rename", || kind(fs::rename("/ro/a.txt", "/ro/z.txt"))),
    ("ro-mkdir", || kind(fs::create_dir("/ro/new"))),
    ("ro-rename-out", || kind(fs::rename("/ro/a.txt", "/rw/stolen.txt"))),
    ("ro-link-out", || kind(fs::hard_link("/ro/a.txt", "/rw/second.txt"))),
    ("write", || {
        fs::write("/rw/new.txt", "written")?;
        Ok(fs::read_to_string("/rw/new.txt")?)
    }),
    ("write-long", || {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        fs::write("/rw/long", &bytes)?;
        Ok((fs::read("/rw/long")? == bytes).to_string())
    }),
    ("append", || {
        let mut file = OpenOptions::new().append(true).open("/rw/seed.txt")?;
        file.write_all(b", more")?;
        drop(file);
        Ok(fs::read_to_string("/rw/seed.txt")?)
    }),
    ("seek", || {
        let mut file = File::open("/ro/a.txt")?;
        file.seek(SeekFrom::Start(2))?;
        let mut rest = String::new();
        file.read_to_string(&mut rest)?;
        let end = file.seek(SeekFrom::End(-1))?;
        Ok(format!("{rest} {end}"))
    }),
    ("overwrite", || {
        let mut file = OpenOptions::new().read(true).write(true).open("/rw/seed.txt")?;
        file.write_all(b"SE")?;
        file.rewind()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }),
    ("set-len", || {
        let file = OpenOptions::new().write(true).open("/rw/seed.txt")?;
        file.set_len(2)?;
        file.sync_all()?;
        file.sync_data()?;
        Ok(fs::read_to_string("/rw/seed.txt")?)
    }),
    ("create-new", || {
        File::create_new("/rw/fresh")?;
        kind(File::create_new("/rw/fresh").map(drop))
    }),
    ("remove", || {
        fs::remove_file("/rw/seed.txt")?;
        kind(fs::metadata("/rw/seed.txt").map(drop))
    }),
    ("remove-folder-as-file", || {
        fs::create_dir("/rw/folder")?;
        kind(fs::remove_file("/rw/folder"))
    }),
    ("rename", || {
        fs::rename("/rw/seed.txt", "/rw/other.txt")?;
        Ok(fs::read_to_string("/rw/other.txt")?)
    }),
    ("rename-between-folders", || {
        fs::create_dir_all("/rw/x/y")?;
        fs::rename("/rw/seed.txt", "/rw/x/y/seed.txt")?;
        Ok(fs::read_to_string("/rw/x/y/seed.txt")?)
    }),
    ("rename-over", || {
        fs::write("/rw/over", "old")?;
        fs::rename("/rw/seed.txt", "/rw/over")?;
        Ok(fs::read_to_string("/rw/over")?)
    }),
    ("hard-link", || {
        fs::hard_link("/rw/seed.txt", "/rw/second.txt")?;
        Ok(fs::read_to_string("/rw/second.txt")?)
    }),
    ("copy", || {
        fs::copy("/ro/a.txt", "/rw/copy.txt")?;
        Ok(fs::read_to_string("/rw/copy.txt")?)
    }),
    ("mkdir-all", || {
        fs::create_dir_all("/rw/p/q/r")?;
        fs::write("/rw/p/q/r/f", "deep")?;
        list("/rw/p/q")
    }),
    ("mkdir-again", || {
        fs::create_dir("/rw/once")?;
        kind(fs::create_dir("/rw/once"))
    }),
    ("rmdir", || {
        fs::create_dir("/rw/gone")?;
        fs::remove_dir("/rw/gone")?;
        list("/rw")
    }),
    ("rmdir-full", || {
        fs::create_dir("/rw/full")?;
        fs::write("/rw/full/f", "")?;
        kind(fs::remove_dir("/rw/full"))
    }),
    ("remove-all", || {
        fs::create_dir_all("/rw/t/u")?;
        fs::write("/rw/t/u/f", "")?;
        fs::remove_dir_all("/rw/t")?;
        list("/rw")
    }),
    ("times", || {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        // One of its own: only a file's owner may set its times.
        let file = File::create("/rw/timed")?;
        file.set_modified(then)?;
        Ok((fs::metadata("/rw/timed")?.modified()? == then).to_string())
    }),
    ("many-open", || {
        let mut files = Vec::new();
        for number in 0..200 {
            files.push(File::create(format!("/rw/{number}"))?);
        }
        Ok(files.len().to_string())
    }),
    ("write-out", || kind(fs::write("/rw/../escaped.txt", "x"))),
    ("write-absolute", || kind(fs::write("/tmp/escaped.txt", "x"))),
    ("rename-out", || kind(fs::rename("/rw/seed.txt", "/rw/../escaped.txt"))),
];

fn kind<T>(result: std::io::Result<T>) -> Said {
    match result {
        Ok(_) => Ok("it worked".to_owned()),
        Err(error)
            if error.kind() == ErrorKind::Other || format!("{:?}", error.kind()) == "Uncategorized" =>
        {
            Ok(format!("refused: {error}"))
        }
        Err(error) => Ok(format!("refused: {:?}", error.kind())),
    }
}

fn list(path: &str) -> Said {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        names.push(format!(
            "{}{}",
            entry.file_name().to_string_lossy(),
            if entry.file_type()?.is_dir() { "/" } else { "" }
        ));
    }
    names.sort();
    Ok(names.join(" "))
}

//! Packs the files of the web page: programs carry a third of their bytes, and slow links, too.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::{Compression, GzBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no folder")?);
    let web = Path::new(&env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names no project")?).join("web");
    pack(files_of(&web)?, &out, "page.rs")?;
    // What is not ours, and large: for whoever chooses it. Only the hub's own program has it.
    if env::var_os("CARGO_FEATURE_HUB").is_some() {
        pack(files_of(&web.join("vendor"))?, &out, "vendored.rs")?;
    }
    Ok(())
}

/// Packs files, and writes a table of them.
fn pack(mut files: Vec<PathBuf>, out: &Path, table_name: &str) -> Result<(), Box<dyn Error>> {
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).ok_or("a name that is no UTF-8")?;
        let kind = match file.extension().and_then(|kind| kind.to_str()) {
            // A file that says how the others are checked.
            _ if name.contains(".config.") => continue,
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("html") if name == "index.html" => "text/html; charset=utf-8",
            Some("wasm") => "application/wasm",
            Some("tflite" | "binarypb") => "application/octet-stream",
            Some("txt") => "text/plain; charset=utf-8",
            _ => continue,
        };
        println!("cargo::rerun-if-changed={}", file.display());
        let packed = out.join(format!("{name}.gz"));
        // Without a name and a time, so that the same files make the same program.
        let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
        writer.write_all(&fs::read(&file)?)?;
        fs::write(&packed, writer.finish()?)?;
        table += &format!("    ({name:?}, {kind:?}, include_bytes!({packed:?})),\n");
    }
    table += "]";
    fs::write(out.join(table_name), table)?;
    Ok(())
}

fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

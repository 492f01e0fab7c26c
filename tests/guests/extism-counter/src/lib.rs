//! A counter in a variable, and errors.

use extism_pdk::*;

#[plugin_fn]
pub fn add(input: String) -> FnResult<String> {
    let added: i64 = input.trim().parse().map_err(|_| Error::msg(format!("{input:?} is no number")))?;
    let counted = var::get::<String>("count")?.and_then(|count| count.parse::<i64>().ok()).unwrap_or(0);
    let count = counted + added;
    var::set("count", count.to_string())?;
    Ok(count.to_string())
}

#[plugin_fn]
pub fn forget(_: ()) -> FnResult<()> {
    var::remove("count")?;
    Ok(())
}

#[plugin_fn]
pub fn fetch(url: String) -> FnResult<String> {
    let response = http::request::<()>(&HttpRequest::new(url), None)?;
    Ok(response.status_code().to_string())
}

// Files that the API makes: fetched with the key in a header, then given to the browser to save.

/** Fetches `path` and saves what comes as `name`. */
export async function download(api, path, name) {
  const response = await api.open(path);
  saveAs(await response.blob(), name);
}

/** Saves a blob. */
export function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

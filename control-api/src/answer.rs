//! Every success the API answers: one thing with a message, or a page of a list.

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::{Listed, Page};
use utoipa::ToSchema;

use crate::fault::Fault;

const DEFAULT_PER_PAGE: u32 = 100;
const MOST_PER_PAGE: u32 = 1000;
/// Past this many rows a list is read by its filters, not by its pages.
const DEEPEST_ROW: u64 = 1_000_000;

/// One thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer<T: ToSchema> {
    /// The thing itself.
    pub(crate) data: T,
    /// What was done, in a sentence.
    pub(crate) message: String,
}

impl<T: ToSchema> Answer<T> {
    pub(crate) fn new(data: T, message: &str) -> Self {
        Self { data, message: message.to_owned() }
    }
}

impl<T: ToSchema + Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageOf<T: ToSchema> {
    /// The page's rows.
    pub(crate) data: Vec<T>,
    /// The page's number, from 1.
    pub(crate) current_page: u32,
    /// The last page's number; 1 when there are no rows.
    pub(crate) last_page: u64,
    /// Rows on a full page.
    pub(crate) per_page: u32,
    /// Rows on all pages.
    pub(crate) total: u64,
    /// The address of the next page.
    pub(crate) next_page_url: Option<String>,
    /// The address of the page before.
    pub(crate) prev_page_url: Option<String>,
}

impl<T: ToSchema> PageOf<T> {
    /// `uri` is the request's: its other parameters stand in the addresses of the pages around.
    pub(crate) fn new(listed: Listed<T>, page: Page, uri: &Uri) -> Self {
        let last_page = listed.total.div_ceil(u64::from(page.per_page)).max(1);
        let current = u64::from(page.page);
        let url = |number: u64| page_url(uri, number, page.per_page);
        Self {
            data: listed.rows,
            current_page: page.page,
            last_page,
            per_page: page.per_page,
            total: listed.total,
            next_page_url: (current < last_page).then(|| url(current + 1)),
            prev_page_url: (current > 1).then(|| url((current - 1).min(last_page))),
        }
    }

    /// The page of a list that is in memory as a whole.
    pub(crate) fn of(all: Vec<T>, page: Page, uri: &Uri) -> Self {
        let total = all.len() as u64;
        let skip = (page.page as usize - 1).saturating_mul(page.per_page as usize);
        let rows = all.into_iter().skip(skip).take(page.per_page as usize).collect();
        Self::new(Listed { rows, total }, page, uri)
    }
}

impl<T: ToSchema + Serialize> IntoResponse for PageOf<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// The page that `page` and `per_page` ask for.
pub(crate) fn page(page: Option<u32>, per_page: Option<u32>) -> Result<Page, Fault> {
    let asked = Page { page: page.unwrap_or(1), per_page: per_page.unwrap_or(DEFAULT_PER_PAGE) };
    if !(1..=MOST_PER_PAGE).contains(&asked.per_page) {
        return Err(Fault::invalid("per_page", format!("must be 1 to {MOST_PER_PAGE}")));
    }
    if asked.page == 0 {
        return Err(Fault::invalid("page", "pages count from 1"));
    }
    if u64::from(asked.page - 1) * u64::from(asked.per_page) >= DEEPEST_ROW {
        return Err(Fault::invalid("page", "too deep; narrow the list by its filters"));
    }
    Ok(asked)
}

fn page_url(uri: &Uri, page: u64, per_page: u32) -> String {
    let mut url = format!("{}?", uri.path());
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if !pair.starts_with("page=") && !pair.starts_with("per_page=") {
            url.push_str(pair);
            url.push('&');
        }
    }
    url.push_str(&format!("page={page}&per_page={per_page}"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_around_keep_the_filters() {
        let uri: Uri = "/api/v1/calls?state=ended&page=2&per_page=3&queue=a%20b".parse().unwrap();
        let page = page(Some(2), Some(3)).unwrap();
        let shown = PageOf::of((0..8_u32).collect(), page, &uri);
        assert_eq!((shown.data, shown.total, shown.last_page), (vec![3, 4, 5], 8, 3));
        let around = |page| format!("/api/v1/calls?state=ended&queue=a%20b&page={page}&per_page=3");
        assert_eq!(shown.next_page_url, Some(around(3)));
        assert_eq!(shown.prev_page_url, Some(around(1)));
    }

    #[test]
    fn an_empty_list_has_one_page_and_none_around_it() {
        let uri: Uri = "/api/v1/calls".parse().unwrap();
        let shown = PageOf::of(Vec::<u32>::new(), page(None, None).unwrap(), &uri);
        assert_eq!((shown.current_page, shown.last_page, shown.total), (1, 1, 0));
        assert_eq!((shown.next_page_url, shown.prev_page_url), (None, None));
    }

    #[test]
    fn a_page_that_cannot_be_is_refused_and_not_made_into_another() {
        assert!(page(Some(0), None).is_err());
        assert!(page(None, Some(1001)).is_err());
        assert!(page(None, Some(0)).is_err());
        assert!(page(Some(u32::MAX), Some(1000)).is_err());
    }
}

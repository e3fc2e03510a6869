// The viewer's filter knows names of tags alone. This one also finds operations, by path, method, name and summary.
export const Search = ({ React, layoutSelectors, specSelectors }) => ({
  wrapComponents: {
    operations: (Original) => (props) => {
      const phrase = layoutSelectors.currentFilter()
      if (typeof phrase !== "string" || phrase === "" || specSelectors.taggedOperations().size > 0) return React.createElement(Original, props)

      return React.createElement("p", { className: "nothing", role: "status" },
        `No route has “${phrase}” in its path, method, name or summary, and no service is named so.`)
    },
  },
  fn: {
    opsFilter: (groups, phrase) => {
      const wanted = phrase.toLowerCase()
      const found = (operation) =>
        [operation.get("path"), operation.get("method"), operation.getIn(["operation", "operationId"]),
          operation.getIn(["operation", "summary"])].some((text) => text?.toLowerCase().includes(wanted))
      return groups
        .map((group, tag) => tag.toLowerCase().includes(wanted) ? group : group.update("operations", (list) => list.filter(found)))
        .filter((group) => group.get("operations").size > 0)
    },
  },
})

// nameSearch says in the field what it does.
export function nameSearch() {
  const field = document.querySelector(".operation-filter-input")
  if (!field) return
  field.placeholder = "Find a route: path, method or name"
  field.setAttribute("aria-label", field.placeholder)
}

// Every operation can fail in a dozen ways, all with the same document. What each means is said in a line, and the rest is folded.
export const Folded = ({ React, getComponent }) => {
  const h = React.createElement

  return {
    wrapComponents: {
      response: (Original) => function Response(props) {
        const [open, setOpen] = React.useState(props.code.startsWith("2"))
        if (open) return h(Original, props)

        const Markdown = getComponent("Markdown", true)
        return h("tr", { className: "response folded", "data-code": props.code },
          h("td", { className: "response-col_status" }, props.code),
          h("td", { className: "response-col_description" },
            h(Markdown, { source: props.response.get("description") }),
            h("button", { type: "button", onClick: () => setOpen(true), "aria-label": `Details of ${props.code}` }, "Details")))
      },
    },
  }
}

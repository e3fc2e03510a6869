// Shows what the gateway enforces, from the extension x-portico of each operation: in short in the list, in full below the operation.
const labels = {
  access: "Who", rateLimits: "How often", timeout: "How long", maxBodyBytes: "Body at most", cache: "Kept", retry: "Tried again",
  rpc: "Procedure",
}

const size = (bytes) => bytes >= 1 << 20 ? `${bytes / (1 << 20)} MiB` : bytes >= 1 << 10 ? `${bytes / (1 << 10)} KiB` : `${bytes} bytes`

export const Enforced = ({ React, specSelectors }) => {
  const h = React.createElement

  const short = (policy) => h("span", { className: "enforced-short" },
    h("span", { className: policy.access === "public" ? "badge open" : "badge", title: `Who: ${policy.access}` }, policy.access),
    policy.rateLimits?.[0] && h("span", { className: "badge limit", title: `How often: ${policy.rateLimits.join("; ")}` },
      policy.rateLimits[0].split(" ")[0]))

  const full = (policy) => h("div", { className: "opblock-section enforced" },
    h("div", { className: "opblock-section-header" }, h("h4", null, "Enforced by the gateway")),
    h("dl", null, ...Object.keys(labels).filter((key) => policy[key]).flatMap((key) => [
      h("dt", null, labels[key]),
      h("dd", null, key === "maxBodyBytes" ? size(policy[key]) : [policy[key]].flat().join("; ")),
    ])))

  return {
    wrapComponents: {
      OperationSummaryPath: (Original) => (props) => {
        const policy = specSelectors.specJson().getIn([...props.specPath, "x-portico"])
        return h(React.Fragment, null, h(Original, props), policy && short(policy.toJS()))
      },
      OperationExt: (Original) => (props) => {
        const policy = props.extensions.get("x-portico")
        const others = props.extensions.delete("x-portico")
        return h(React.Fragment, null, policy && full(policy.toJS()), others.size > 0 && h(Original, { ...props, extensions: others }))
      },
    },
  }
}

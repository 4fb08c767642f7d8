// Where the nodes and edges of the service map go.
import dagre from "@dagrejs/dagre";
import type { ServiceMap } from "../../api/types";

export const NODE_WIDTH = 178;
export const NODE_HEIGHT = 58;
const EDGE_LABEL_WIDTH = 92;
const EDGE_LABEL_HEIGHT = 30;

type MapNode = ServiceMap["nodes"][number];
type MapEdge = ServiceMap["edges"][number];

export interface Layout {
  width: number;
  height: number;
  nodes: { node: MapNode; x: number; y: number }[];
  edges: { edge: MapEdge; path: string; x: number; y: number; thick: number }[];
}

const THICK_PX = 5;

export function layoutOf(map: ServiceMap): Layout {
  const graph = new dagre.graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: 26, ranksep: 76, edgesep: 14, marginx: 24, marginy: 24 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(map.nodes.map((node) => node.service));
  for (const node of map.nodes) graph.setNode(node.service, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const edges = map.edges.filter((edge) => known.has(edge.from) && known.has(edge.to) && edge.from !== edge.to);
  for (const edge of edges) {
    graph.setEdge(edge.from, edge.to, { width: EDGE_LABEL_WIDTH, height: EDGE_LABEL_HEIGHT, labelpos: "c" });
  }
  dagre.layout(graph);
  const most = Math.max(1, ...edges.map((edge) => edge.calls));
  const size = graph.graph() as { width?: number; height?: number };
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: map.nodes.map((node) => {
      const at = graph.node(node.service) as { x: number; y: number };
      return { node, x: at.x - NODE_WIDTH / 2, y: at.y - NODE_HEIGHT / 2 };
    }),
    edges: edges.map((edge) => {
      const at = graph.edge(edge.from, edge.to) as { points: { x: number; y: number }[]; x?: number; y?: number };
      const middle = at.points[Math.floor(at.points.length / 2)]!;
      const thick = 1.2 + (THICK_PX - 1.2) * (Math.log1p(edge.calls) / Math.log1p(most));
      return { edge, path: smooth(at.points), x: at.x ?? middle.x, y: at.y ?? middle.y, thick };
    }),
  };
}

/** A curve through the middles of the line's pieces: no corners. */
function smooth(points: { x: number; y: number }[]): string {
  const [start, ...rest] = points;
  if (!start) return "";
  let path = `M${start.x},${start.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    if (!next) path += `L${point.x},${point.y}`;
    else path += `Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`;
  });
  return path;
}

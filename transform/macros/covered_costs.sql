{#- Whether a project is the one that Raise books the costs to that a donor covers. -#}
{% macro is_name_of_costs(expression) -%}
    coalesce({{ fold_name(expression) }} = 'covers processing fees', false)
{%- endmacro %}


{#- The ids of these projects, by organization. -#}
{% macro projects_of_costs(projects) -%}
    select
        organization,
        list(project_id) as project_ids
    from {{ projects }}
    where {{ is_name_of_costs('project_name') }}
    group by organization
{%- endmacro %}


{#- Whether an allocation is of covered costs: by the name that it carries, else by that of its project. -#}
{% macro is_allocation_of_costs(allocation, project_ids) -%}
    {%- set name = "coalesce(" ~ clean_text(allocation ~ ".name") ~ ", " ~ clean_text(allocation ~ ".projectname") ~ ")" -%}
    case
        when {{ name }} is not null then {{ is_name_of_costs(name) }}
        else coalesce(list_contains({{ project_ids }}, {{ integer_key(allocation ~ ".projectid") }}), false)
    end
{%- endmacro %}
